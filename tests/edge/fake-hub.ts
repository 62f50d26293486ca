/** A hub for tests: does what the test says, and remembers what it was told. */
import { eachLine } from "../../src/protocol/lines.ts";
import { Edge, type EdgeOptions } from "../../src/edge/edge.ts";
import { InProcessTrunk } from "../../src/edge/in-process.ts";
import type { TrunkLink } from "../../src/edge/link.ts";
import type {
  CloseReason,
  EdgePort,
  Handover,
  HubHost,
  HubPort,
  HubReport,
  Origin,
  SessionId,
  TrunkFate,
} from "../../src/edge/trunk.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import type { Listener } from "../../src/net/listener.ts";
import { Bare } from "../net/helpers.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** One session at the fake hub. */
export interface FakeSession {
  readonly id: SessionId;
  readonly origin: Origin;
  readonly handover: Handover | undefined;
  readonly lines: string[];
  /** Number of the last line received. */
  received: number;
  closed: CloseReason | undefined;
}

/** See above. By default every line is answered with itself, and `token` by a token. */
export class FakeHub implements HubHost, HubPort {
  readonly sessions: FakeSession[] = [];
  edge: EdgePort | undefined;
  detached = 0;
  /** What to do with each line; the default echoes. */
  onLine: (session: FakeSession, line: string, number: number) => void = (session, line, number) => {
    this.say(session, line, number);
  };
  onOpen: (session: FakeSession) => void = () => {};

  attach(edge: EdgePort): { port: HubPort; detach(): void } {
    this.edge = edge;
    return { port: this, detach: () => void (this.detached += 1) };
  }

  report(): HubReport {
    return {
      server: "fake",
      cluster: "test",
      build: "0",
      sessions: this.sessions.filter(({ closed }) => closed === undefined).length,
      rooms: 0,
      messages: 0,
      backplane: "ok",
      backplaneMs: 0,
      draining: false,
    };
  }

  /** What the hub speaks to. */
  get port(): EdgePort {
    if (this.edge === undefined) throw new Error("no edge");
    return this.edge;
  }

  /** The session that was opened last. */
  get last(): FakeSession {
    const session = this.sessions.at(-1);
    if (session === undefined) throw new Error("no session");
    return session;
  }

  /** Says a line to a session. */
  say(session: FakeSession, line: string, done = session.received): void {
    this.port.send(session.id, Buffer.from(`${line}\n`), done);
  }

  open(id: SessionId, origin: Origin): void {
    this.#begin(id, origin, undefined);
  }

  resume(id: SessionId, handover: Handover): void {
    this.#begin(id, handover.origin, handover);
  }

  lines(id: SessionId, lines: Uint8Array): void {
    const session = this.sessions.find((one) => one.id === id);
    if (session === undefined) throw new Error(`lines for the unknown session ${id}`);
    if (session.closed !== undefined) throw new Error(`lines for the closed session ${id}`);
    eachLine(lines, (bytes) => {
      const line = Buffer.from(bytes).toString();
      session.received += 1;
      session.lines.push(line);
      this.onLine(session, line, session.received);
    });
  }

  close(id: SessionId, reason: CloseReason): void {
    const session = this.sessions.find((one) => one.id === id);
    if (session === undefined) throw new Error(`close of the unknown session ${id}`);
    if (session.closed !== undefined) throw new Error(`the session ${id} is closed twice`);
    session.closed = reason;
  }

  #begin(id: SessionId, origin: Origin, handover: Handover | undefined): void {
    if (this.sessions.some((one) => one.id === id)) throw new Error(`session ${id} is used twice`);
    const session = { id, origin, handover, lines: [], received: handover?.done ?? 0, closed: undefined };
    this.sessions.push(session);
    this.onOpen(session);
  }
}

/** An edge on a free port, with one fake hub for each of `hubs`, reached in this process. */
export function startEdge(options: Partial<EdgeOptions> = {}, hubs: readonly FakeHub[] = [new FakeHub()]) {
  const links: TrunkLink[] = [];
  const fates: TrunkFate[] = [];
  const usable = (): TrunkLink | "wait" => links.find((link) => link.isOpen) ?? "wait";
  const edge = new Edge({
    name: "edge-1",
    clock: systemClock,
    logger: silentLogger,
    router: { place: usable, move: usable },
    ...options,
  });
  const attach = (hub: FakeHub): TrunkLink => {
    const trunk = new InProcessTrunk(hub, "edge-1");
    const link = edge.attach(
      {
        start(port, fate) {
          fates.push(fate);
          return trunk.start(port);
        },
        stop: () => trunk.stop(),
      },
      `hub-${links.length + 1}`,
    );
    links.push(link);
    return link;
  };
  for (const hub of hubs) attach(hub);
  const listener: Listener = edge.listen({ at: { host: "127.0.0.1", port: 0 } });
  const bares: Bare[] = [];
  return {
    edge,
    links,
    attach,
    listener,
    at: { host: "127.0.0.1", port: listener.port },
    /** What becomes of the trunk to the hub with this index. */
    fate: (index: number): TrunkFate => {
      const fate = fates[index];
      if (fate === undefined) throw new Error(`no hub ${index}`);
      return fate;
    },
    /** A client that says `first`. */
    client: async (first = ""): Promise<Bare> => {
      const bare = await Bare.to({ host: "127.0.0.1", port: listener.port });
      bares.push(bare);
      if (first !== "") bare.open.write(first);
      return bare;
    },
    /** Closes everything. */
    stop: async (): Promise<void> => {
      for (const bare of bares) bare.open.terminate();
      const gone = edge.shutdown({ afterMs: 0, jitterMs: 0, deadlineMs: 2_000 });
      if (options.clock instanceof ManualClock) options.clock.advance(2_000);
      await gone;
    },
  };
}
