/**
 * What `rtchat client` remembers from one run to the next: the nick, where it was connected, how far each room was read, and
 * in which rooms the person was, what is silent and who is ignored. Kept in `$XDG_STATE_HOME/rtchat/client.json`
 * (https://specifications.freedesktop.org/basedir-spec/latest/), readable by its owner only.
 *
 * Losing it costs a question and a line on the screen, so a file that cannot be read is as good as none, and one that
 * cannot be written is no reason to stop chatting.
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

/** With one more, which comes last: the first are forgotten. */
function latest<Value>(
  others: Readonly<Record<string, Value>>,
  key: string,
  value: Value,
): Record<string, Value> {
  const kept = Object.entries(others).slice(-(CLUSTERS_MOST - 1));
  return { ...Object.fromEntries(kept), [key]: value };
}

/** See the head of this file. */
export class Memory {
  readonly #path: string;
  readonly #data: z.infer<typeof memorySchema>;

  constructor(environment: Environment) {
    const base = environment["XDG_STATE_HOME"] ?? "";
    const home = homeFolder(environment);
    this.#path = join(isAbsolute(base) ? base : join(home, ".local", "state"), "rtchat", "client.json");
    this.#data = this.#read();
  }

  #read(): z.infer<typeof memorySchema> {
    try {
      return memorySchema.parse(JSON.parse(readFileSync(this.#path, "utf8")));
    } catch {
      return { read: {}, habits: {}, clusters: {} };
    }
  }

  get nick(): string | undefined {
    return this.#data.nick;
  }
  set nick(nick: string) {
    this.#data.nick = nick;
  }

  /** Addresses as they were written. */
  get connect(): string | undefined {
    return this.#data.connect;
  }
  set connect(connect: string) {
    this.#data.connect = connect;
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
    this.#data.author ??= Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
    return Buffer.from(this.#data.author, "hex");
  }

  /** This device is one of the person who has this secret. */
  set secret(secret: Uint8Array) {
    this.#data.author = Buffer.from(secret).toString("hex");
  }

  /** How far a room was read. */
  position(cluster: string, room: string): Position | undefined {
    const rooms = Object.hasOwn(this.#data.read, cluster) ? this.#data.read[cluster] : undefined;
    return rooms !== undefined && Object.hasOwn(rooms, room) ? rooms[room] : undefined;
  }

  setPosition(cluster: string, room: string, position: Position): void {
    const { [cluster]: rooms = {}, ...others } = this.#data.read;
    this.#data.read = latest(others, cluster, { ...rooms, [room]: position });
  }

  /** What was kept of the chat at these addresses, as far as it is known which that is. */
  habitsAt(addresses: string): KeptHabits {
    const cluster = Object.hasOwn(this.#data.clusters, addresses)
      ? this.#data.clusters[addresses]
      : undefined;
    const { habits } = this.#data;
    const kept = cluster !== undefined && Object.hasOwn(habits, cluster) ? habits[cluster] : undefined;
    return kept === undefined ? NO_HABITS : { ...kept, front: kept.front };
  }

  setHabits(cluster: string, { rooms, front, ignored, muted, highlights }: KeptHabits): void {
    const { [cluster]: _, ...others } = this.#data.habits;
    const few = (list: readonly string[]) => list.slice(-HABITS_MOST);
    const kept = {
      rooms: rooms.slice(0, clientLimits.rooms),
      ...(front === undefined ? {} : { front }),
      ignored: few(ignored),
      muted: few(muted),
      highlights: few(highlights),
    };
    this.#data.habits = latest(others, cluster, kept);
  }

  /** This cluster is at these addresses. */
  found(addresses: string, cluster: string): void {
    const { [addresses]: _, ...others } = this.#data.clusters;
    this.#data.clusters = latest(others, addresses, cluster);
  }

  /** Writes it, in one step. */
  save(): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      const next = `${this.#path}.${process.pid}`;
      writeFileSync(next, `${JSON.stringify(this.#data, undefined, 2)}\n`, { mode: 0o600 });
      renameSync(next, this.#path);
    } catch {
      // See above: not a reason to stop.
    }
  }
}
