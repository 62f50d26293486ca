/**
 * What the conformance suite uses a backplane with: a server and a room's follower as a hub would have them, which check
 * order and continuity as they go, and whose state can be waited on.
 */
import { test } from "bun:test";
import type {
  Backplane,
  BackplaneFailure,
  BackplaneHealth,
  Done,
  HistoryPage,
  LogEntry,
  Member,
  PresenceEvent,
  RoomSubscriber,
  Snapshot,
} from "../../src/backplane/backplane.ts";
import type { Deliveries } from "../../src/protocol/deliveries.ts";
import { entriesOf } from "../support/deliveries.ts";

/** Settings a test may ask of a cluster. */
export interface ClusterSettings {
  readonly graceMs?: number;
  readonly keyWindowEntries?: number;
  readonly keepMessages?: number;
}

/** A cluster of some driver. Servers are started by the suite. */
export interface TestCluster {
  /** One more server, not started. */
  server(): Backplane;
  /** Makes a server vanish without a word to anybody, as kill -9 does. */
  vanish(server: Backplane): Promise<void>;
  /** Makes the store come back with a log that may have lost its tail. */
  changeEpoch(): Promise<void>;
  /** Stops what is left and removes files. */
  close(): Promise<void>;
}

export type ClusterFactory = (settings: ClusterSettings) => Promise<TestCluster>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const bytes = (text: string): Uint8Array => encoder.encode(text);
export const text = (body: Uint8Array): string => decoder.decode(body);

/** A call's answer as a promise; a second answer or one before the call returned is an error. */
export function answer<T>(call: (done: Done<T>) => void): Promise<({ ok: true } & T) | BackplaneFailure> {
  const { promise, resolve, reject } = Promise.withResolvers<({ ok: true } & T) | BackplaneFailure>();
  let returned = false;
  let answered = false;
  call((result) => {
    if (!returned) reject(new Error("answered before the call returned"));
    if (answered) throw new Error("answered twice");
    answered = true;
    resolve(result);
  });
  returned = true;
  return promise;
}

/** The answer of a call that must succeed. */
export async function good<T>(call: (done: Done<T>) => void): Promise<{ ok: true } & T> {
  const result = await answer(call);
  if (!result.ok) throw new Error(`failed as ${result.code}: ${result.message}`);
  return result;
}

/** Something that can be waited on: `when` resolves once `check` holds, asked again at every change. */
class Watched {
  readonly #waiting = new Set<() => void>();

  changed(): void {
    for (const ask of this.#waiting) ask();
  }

  when(check: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const ask = (): void => {
      if (!check()) return;
      this.#waiting.delete(ask);
      resolve();
    };
    this.#waiting.add(ask);
    ask();
    return promise;
  }
}

/** One room as a hub would follow it. Checks order and continuity as it goes. */
export class Follower extends Watched implements RoomSubscriber {
  readonly entries: LogEntry[] = [];
  readonly presences: string[] = [];
  readonly records = new Map<string, string>();
  readonly members = new Map<string, string>();
  /** What those say who are away, by session. */
  readonly away = new Map<string, string>();
  readonly wrong: string[] = [];
  resets = 0;
  epoch = "";
  last = -1;
  /** The last snapshot's position. */
  since = -1;
  /** Everything heard, in order, as short words. */
  readonly heard: string[] = [];

  take(snapshot: Snapshot): void {
    this.epoch = snapshot.position.epoch;
    this.last = snapshot.position.seq;
    this.since = this.last;
    this.members.clear();
    this.away.clear();
    for (const { session, nick, away } of snapshot.members) {
      this.members.set(session, nick);
      if (away !== undefined) this.away.set(session, away);
    }
    this.records.clear();
    for (const [key, value] of snapshot.records) this.records.set(key, value);
    this.changed();
  }

  appended(told: Deliveries): void {
    if (told.count === 0) this.wrong.push("told of no entries at all");
    for (const entry of entriesOf(told)) this.#entry(entry);
  }

  #entry(entry: LogEntry): void {
    if (this.last === -1) this.wrong.push(`entry ${entry.seq} before the snapshot`);
    else if (entry.seq !== this.last + 1) this.wrong.push(`entry ${entry.seq} after ${this.last}`);
    const before = this.entries.at(-1);
    if (before !== undefined && entry.at < before.at) this.wrong.push(`time of ${entry.seq} went back`);
    this.last = entry.seq;
    this.entries.push(entry);
    this.heard.push(`entry ${text(entry.body)}`);
    this.changed();
  }

  presence(event: PresenceEvent): void {
    const { kind, member } = event;
    const known = this.members.get(member.session);
    if ((kind === "join") !== (known === undefined))
      this.wrong.push(`${kind} of ${member.session} out of turn`);
    if (kind !== "join" && known !== member.nick)
      this.wrong.push(`${kind} names ${member.nick}, not ${known}`);
    if (kind === "leave") this.members.delete(member.session);
    else this.members.set(member.session, kind === "rename" ? event.to : member.nick);
    if (kind === "leave" || member.away === undefined) this.away.delete(member.session);
    else this.away.set(member.session, member.away);
    const more = kind === "rename" ? ` ${event.to}` : kind === "away" ? `: ${member.away ?? "back"}` : "";
    const word = `${kind} ${member.nick}${more}`;
    this.presences.push(word);
    this.heard.push(word);
    this.changed();
  }

  record(key: string, value: string): void {
    this.records.set(key, value);
    this.heard.push(`record ${key} ${value}`);
    this.changed();
  }

  reset(snapshot: Snapshot): void {
    this.resets += 1;
    this.heard.push("reset");
    this.take(snapshot);
  }

  /** Resolves once a word has been heard. */
  hears(word: string): Promise<void> {
    return this.when(() => this.heard.includes(word));
  }

  get texts(): string[] {
    return this.entries.map((entry) => text(entry.body));
  }
}

/** One server as a hub would use it. */
export class Server extends Watched {
  readonly plane: Backplane;
  readonly takenSessions: string[] = [];
  readonly words: string[] = [];
  readonly healths: BackplaneHealth[] = [];

  constructor(plane: Backplane) {
    super();
    this.plane = plane;
  }

  async start(): Promise<this> {
    await this.plane.start({
      taken: (session) => {
        this.takenSessions.push(session);
        this.changed();
      },
      told: (session, payload) => {
        this.words.push(`${session} ${payload}`);
        this.changed();
      },
      health: (health) => {
        this.healths.push(health);
        this.changed();
      },
    });
    return this;
  }

  async follow(room: string): Promise<Follower> {
    const follower = new Follower();
    await new Promise<void>((resolve, reject) => {
      this.plane.subscribe(room, follower, (result) => {
        // The snapshot is taken inside the answer: events may follow in the same breath.
        if (!result.ok) return reject(new Error(result.message));
        follower.take(result.snapshot);
        resolve();
      });
    });
    return follower;
  }

  publish(
    room: string,
    key: string,
    body = key,
  ): Promise<{ position: Snapshot["position"]; at: number; duplicate: boolean }> {
    return good((done) => this.plane.publish({ room, key, body: bytes(body) }, done));
  }

  async page(query: Partial<Parameters<Backplane["history"]>[0]> & { room: string }): Promise<HistoryPage> {
    const whole = { limit: 1_000, maxBytes: 1_000_000, ...query };
    return (await good<{ page: HistoryPage }>((done) => this.plane.history(whole, done))).page;
  }

  /** @returns the rooms the session is in already */
  async claim(session: string, nick: string, fence = 1): Promise<readonly string[]> {
    return (await good<{ rooms: readonly string[] }>((done) => this.plane.claim(session, nick, fence, done)))
      .rooms;
  }

  enter(room: string, session: string): Promise<object> {
    return good((done) => this.plane.enter(room, session, done));
  }

  leave(room: string, session: string): Promise<object> {
    return good((done) => this.plane.leave(room, session, done));
  }

  setRecord(
    room: string,
    key: string,
    value: string,
    session: string,
    once: string = value,
  ): Promise<object> {
    return good((done) => this.plane.setRecord({ room, key, value, session, once }, done));
  }

  async owner(nick: string): Promise<string | undefined> {
    return (await good<{ member: Member | undefined }>((done) => this.plane.lookup(nick, done))).member
      ?.session;
  }
}

/** Declares a test that gets a cluster with `count` started servers. */
export type Declare = (
  name: string,
  run: (servers: Server[], cluster: TestCluster) => Promise<void>,
  settings?: ClusterSettings,
  count?: number,
) => void;

/** Declares tests on clusters that `make` makes. */
export function declareOn(make: ClusterFactory): Declare {
  return (name, run, settings = {}, count = 2) => {
    test(name, async () => {
      const cluster = await make(settings);
      try {
        const servers: Server[] = [];
        for (let i = 0; i < count; i += 1) servers.push(await new Server(cluster.server()).start());
        await run(servers, cluster);
      } finally {
        await cluster.close();
      }
    });
  };
}
