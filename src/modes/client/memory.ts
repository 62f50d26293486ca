/**
 * What `rtchat client` remembers from one run to the next: the nick, where it was connected, how far each room was read, and
 * in which rooms the person was, what is silent and who is ignored. Kept in `$XDG_STATE_HOME/rtchat/client.json`
 * (https://specifications.freedesktop.org/basedir-spec/latest/), readable by its owner only.
 *
 * Losing it costs a question, a line on the screen, and the changing of what was written before, because the secret by
 * which authorship is shown is here too. So a file that cannot be read is as good as none, but one that cannot be written
 * is no reason to stop chatting.
 *
 * Several clients of one person may run at once. So each writes what it has changed itself into what is in the file by
 * then, and not what it read when it began.
 */
import { createHash, createHmac } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { z } from "zod";
import type { Environment } from "../../cli/flag.ts";
import { homeFolder } from "../../cli/settings.ts";
import type { Author } from "../../client/session.ts";
import { clientLimits } from "../../protocol/limits.ts";
import type { Position } from "../../protocol/messages.ts";
import { NO_HABITS } from "../../tui/model/habits.ts";
import type { KeptHabits } from "../../tui/model/habits.ts";

/** Of a kind, in a cluster: who ignores more people is in the wrong room. */
const HABITS_MOST = 1_000;

const positionSchema = z.object({ epoch: z.string(), seq: z.number().int().min(0) });
const names = z.array(z.string().max(clientLimits.nameLength * 2 + 1)).max(HABITS_MOST);
const habitsSchema = z.object({
  rooms: names.max(clientLimits.rooms),
  front: z.string().optional(),
  ignored: names,
  muted: names,
  highlights: names.default([]),
});
const memorySchema = z.object({
  nick: z.string().optional(),
  connect: z.string().optional(),
  /** Of all marks of authorship: hex of 32 random bytes. */
  author: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** By cluster, then by room. */
  read: z.record(z.string(), z.record(z.string(), positionSchema)).default({}),
  /** By cluster. */
  habits: z.record(z.string(), habitsSchema).default({}),
  /** The cluster that was last found at an address. */
  clusters: z.record(z.string(), z.string()).default({}),
});

/** Clusters remembered: more are those of tests and demonstrations. */
const CLUSTERS_MOST = 50;

type Remembered = z.infer<typeof memorySchema>;

const nothing = (): Remembered => ({ read: {}, habits: {}, clusters: {} });

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Keys are names that others have chosen. */
function at<Value>(record: Readonly<Record<string, Value>> | undefined, key: string): Value | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

/** One record over another. What is in the upper one comes last, and of all together the first are forgotten. */
function laidOver<Value>(
  under: Readonly<Record<string, Value>>,
  over: Readonly<Record<string, Value>>,
  both: (under: Value, over: Value) => Value = (_, upper) => upper,
): Record<string, Value> {
  const below = Object.entries(under).filter(([key]) => !Object.hasOwn(over, key));
  const above = Object.entries(over).map(([key, value]): [string, Value] => {
    const known = at(under, key);
    return [key, known === undefined ? value : both(known, value)];
  });
  return Object.fromEntries([...below, ...above].slice(-CLUSTERS_MOST));
}

/** See the head of this file. */
export class Memory {
  readonly #path: string;
  /** As it was in the file. */
  readonly #found: Remembered;
  /** What this run has changed. */
  readonly #own = nothing();

  constructor(environment: Environment) {
    const base = environment["XDG_STATE_HOME"] ?? "";
    const home = homeFolder(environment);
    this.#path = join(isAbsolute(base) ? base : join(home, ".local", "state"), "rtchat", "client.json");
    this.#found = this.#read() ?? nothing();
  }

  #read(): Remembered | undefined {
    try {
      return memorySchema.parse(JSON.parse(readFileSync(this.#path, "utf8")));
    } catch {
      return undefined;
    }
  }

  get nick(): string | undefined {
    return this.#own.nick ?? this.#found.nick;
  }
  set nick(nick: string) {
    this.#own.nick = nick;
  }

  /** Addresses as they were written. */
  get connect(): string | undefined {
    return this.#own.connect ?? this.#found.connect;
  }
  set connect(connect: string) {
    this.#own.connect = connect;
  }

  /**
   * The person's secret in a cluster, and the mark made of it. Another one for each cluster, so that no server learns
   * what proves authorship elsewhere.
   */
  author(cluster: string): Author {
    const proof = this.#derived("author", cluster);
    return { proof, by: createHash("sha256").update(proof).digest("base64url") };
  }

  /**
   * The secret by which the person's devices agree on what was read. Another one than what proves authorship, because
   * every server of the cluster is told it.
   */
  reader(cluster: string): string {
    return this.#derived("reader", cluster);
  }

  #derived(purpose: "author" | "reader", cluster: string): string {
    return createHmac("sha256", this.secret).update(`rtchat ${purpose} 1\n${cluster}`).digest("base64url");
  }

  /** What makes this person the same one on another device: 32 bytes, made when they are first needed. */
  get secret(): Uint8Array {
    // Another client may have made it since this one has read the file: what it wrote is this person's too.
    this.#found.author ??= this.#read()?.author;
    const author =
      this.#own.author ?? this.#found.author ?? hexOf(crypto.getRandomValues(new Uint8Array(32)));
    if (this.#found.author === undefined) this.#own.author = author;
    return Buffer.from(author, "hex");
  }

  /** This device is one of the person who has this secret. */
  set secret(secret: Uint8Array) {
    this.#own.author = hexOf(secret);
  }

  /** How far a room was read. */
  position(cluster: string, room: string): Position | undefined {
    return at(at(this.#own.read, cluster), room) ?? at(at(this.#found.read, cluster), room);
  }

  setPosition(cluster: string, room: string, position: Position): void {
    const { [cluster]: rooms = {}, ...others } = this.#own.read;
    this.#own.read = { ...others, [cluster]: { ...rooms, [room]: position } };
  }

  /** What was kept of the chat at these addresses, as far as it is known which that is. */
  habitsAt(addresses: string): KeptHabits {
    const cluster = at(this.#own.clusters, addresses) ?? at(this.#found.clusters, addresses);
    if (cluster === undefined) return NO_HABITS;
    const kept = at(this.#own.habits, cluster) ?? at(this.#found.habits, cluster);
    return kept === undefined ? NO_HABITS : { ...kept, front: kept.front };
  }

  setHabits(cluster: string, { rooms, front, ignored, muted, highlights }: KeptHabits): void {
    const few = (list: readonly string[]) => list.slice(-HABITS_MOST);
    const kept = {
      rooms: rooms.slice(0, clientLimits.rooms),
      ...(front === undefined ? {} : { front }),
      ignored: few(ignored),
      muted: few(muted),
      highlights: few(highlights),
    };
    const { [cluster]: _, ...others } = this.#own.habits;
    this.#own.habits = { ...others, [cluster]: kept };
  }

  /** This cluster is at these addresses. */
  found(addresses: string, cluster: string): void {
    const { [addresses]: _, ...others } = this.#own.clusters;
    this.#own.clusters = { ...others, [addresses]: cluster };
  }

  /** Writes it, in one step. */
  save(): void {
    const there = this.#read() ?? this.#found;
    const own = this.#own;
    const all: Remembered = {
      nick: own.nick ?? there.nick,
      connect: own.connect ?? there.connect,
      author: own.author ?? there.author,
      read: laidOver(there.read, own.read, (rooms, ours) => ({ ...rooms, ...ours })),
      habits: laidOver(there.habits, own.habits),
      clusters: laidOver(there.clusters, own.clusters),
    };
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      const next = `${this.#path}.${process.pid}`;
      writeFileSync(next, `${JSON.stringify(all, undefined, 2)}\n`, { mode: 0o600 });
      renameSync(next, this.#path);
    } catch {
      // See above: not a reason to stop.
    }
  }
}
