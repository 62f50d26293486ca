/**
 * A cluster small enough to be obviously right, for tests of hand-over: several hubs over one log a room, reached by
 * trunks whose bytes arrive when the test says so, and which can be cut between any two of them.
 *
 * Lines of a client: `join ROOM` and `say ROOM TEXT`. Every line is answered by `ack NUMBER …` exactly once. A message
 * reaches every member as `ROOM SEQ TEXT`. A line's key is the session's name, which is its connection's, and the line's
 * number, so a line that two hubs were given is logged once.
 */
import { FrameDecoder, FrameWriter } from "../../src/protocol/frames.ts";
import { eachLine } from "../../src/protocol/lines.ts";
import { decodeToEdge, decodeToHub, EdgePortEncoder, HubPortEncoder } from "../../src/edge/trunk-wire.ts";
import type {
  CloseReason,
  EdgePort,
  GroupId,
  Handover,
  HubPort,
  Origin,
  SessionId,
  Trunk,
  TrunkFate,
} from "../../src/edge/trunk.ts";

const nothing = new Uint8Array(0);
const unexpected = (): never => {
  throw new Error("a frame for neither port");
};

/** The rooms' logs, and what all hubs have in common. */
export class ModelCluster {
  readonly logs = new Map<string, string[]>();
  readonly #keys = new Map<string, number>();
  readonly hubs = new Set<ModelHub>();

  log(room: string): string[] {
    let log = this.logs.get(room);
    if (log === undefined) this.logs.set(room, (log = []));
    return log;
  }

  /** Logs a message once a key, and tells all hubs. @returns its seq */
  publish(room: string, text: string, key: string): number {
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const log = this.log(room);
    log.push(text);
    this.#keys.set(key, log.length);
    for (const hub of this.hubs) hub.tell(room, log.length, text);
    return log.length;
  }
}

interface ModelSession {
  readonly id: SessionId;
  readonly name: string;
  done: number;
  readonly rooms: Map<string, GroupId>;
}

interface ModelGroup {
  readonly id: GroupId;
  readonly members: Set<SessionId>;
}

/** One hub, with one edge. */
class ModelHub implements HubPort {
  readonly #cluster: ModelCluster;
  readonly #edge: EdgePort;
  readonly #sessions = new Map<SessionId, ModelSession>();
  readonly #groups = new Map<string, ModelGroup>();
  #lastGroup = 0;

  constructor(cluster: ModelCluster, edge: EdgePort) {
    this.#cluster = cluster;
    this.#edge = edge;
    cluster.hubs.add(this);
  }

  tell(room: string, seq: number, text: string): void {
    const group = this.#groups.get(room);
    if (group === undefined) return;
    this.#edge.group(group.id, Buffer.from(`${room} ${seq} ${text}\n`), seq, seq % 7, 0);
  }

  open(id: SessionId, origin: Origin): void {
    this.#sessions.set(id, { id, name: origin.connection, done: 0, rooms: new Map() });
  }

  resume(id: SessionId, handover: Handover): void {
    const name = handover.token === "" ? handover.origin.connection : handover.token;
    const session = { id, name, done: handover.done, rooms: new Map<string, GroupId>() };
    this.#sessions.set(id, session);
    for (const { name: room, position } of handover.groups) {
      const log = this.#cluster.log(room);
      for (let seq = position.seq + 1; seq <= log.length; seq += 1) {
        this.#edge.replay(id, room, Buffer.from(`${room} ${seq} ${log[seq - 1]}\n`), seq);
      }
      this.#enter(session, room, nothing);
    }
    this.#edge.token(id, session.name);
  }

  lines(id: SessionId, lines: Uint8Array): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    eachLine(lines, (line) => this.#line(session, Buffer.from(line).toString()));
  }

  close(id: SessionId, _reason: CloseReason): void {
    const session = this.#sessions.get(id);
    for (const room of session?.rooms.keys() ?? []) this.#groups.get(room)?.members.delete(id);
    this.#sessions.delete(id);
  }

  #line(session: ModelSession, line: string): void {
    if (session.done === 0) this.#edge.token(session.id, session.name);
    const [verb, room = "", text = ""] = line.split(" ");
    const number = session.done + 1;
    let answer = "";
    if (verb === "join") answer = `at ${this.#cluster.log(room).length}`;
    // The log may tell this session of its own message before it is acknowledged.
    else answer = `seq ${this.#cluster.publish(room, text, `${session.name} ${number}`)}`;
    session.done = number;
    const words = Buffer.from(`ack ${number} ${verb} ${room} ${answer}\n`);
    if (verb !== "join" || session.rooms.has(room)) this.#edge.send(session.id, words, number);
    else this.#enter(session, room, words);
  }

  #enter(session: ModelSession, room: string, words: Uint8Array): void {
    let group = this.#groups.get(room);
    if (group === undefined) {
      this.#lastGroup += 1;
      group = { id: this.#lastGroup, members: new Set() };
      this.#groups.set(room, group);
      const seq = this.#cluster.log(room).length;
      this.#edge.define(group.id, room, { epoch: "e", seq }, seq % 7);
    }
    group.members.add(session.id);
    session.rooms.set(room, group.id);
    this.#edge.join(session.id, group.id, words, session.done);
  }
}

/** A trunk to a fresh hub of the cluster: bytes wait in both directions until {@link ModelTrunk.step}. */
export class ModelTrunk implements Trunk {
  readonly #cluster: ModelCluster;
  readonly #toHub = new FrameWriter();
  readonly #toEdge = new FrameWriter();
  readonly #hubDecoder = new FrameDecoder();
  readonly #edgeDecoder = new FrameDecoder();
  #waitingForHub: Uint8Array = nothing;
  #waitingForEdge: Uint8Array = nothing;
  #hub: ModelHub | undefined;
  #edge: EdgePort | undefined;
  #fate: TrunkFate | undefined;

  constructor(cluster: ModelCluster) {
    this.#cluster = cluster;
  }

  start(edge: EdgePort, fate: TrunkFate): HubPort {
    this.#edge = edge;
    this.#fate = fate;
    this.#hub = new ModelHub(this.#cluster, new EdgePortEncoder(this.#toEdge, () => {}));
    return new HubPortEncoder(this.#toHub, () => {});
  }

  stop(): void {
    if (this.#hub !== undefined) this.#cluster.hubs.delete(this.#hub);
    this.#hub = undefined;
    this.#fate = undefined;
  }

  get isOpen(): boolean {
    return this.#hub !== undefined;
  }

  /** Bytes on their way. */
  get waiting(): number {
    return (
      this.#waitingForHub.length + this.#waitingForEdge.length + this.#toHub.length + this.#toEdge.length
    );
  }

  /** Lets at most so many bytes arrive at each side. */
  step(atHub: number, atEdge: number): void {
    const hub = this.#hub;
    const edge = this.#edge;
    if (hub === undefined || edge === undefined) return;
    this.#waitingForHub = Buffer.concat([this.#waitingForHub, this.#toHub.take()]);
    const given = this.#waitingForHub.subarray(0, atHub);
    this.#waitingForHub = this.#waitingForHub.subarray(given.length);
    this.#hubDecoder.push(given, (reader) => decodeToHub(reader, hub, unexpected));
    this.#waitingForEdge = Buffer.concat([this.#waitingForEdge, this.#toEdge.take()]);
    const told = this.#waitingForEdge.subarray(0, atEdge);
    this.#waitingForEdge = this.#waitingForEdge.subarray(told.length);
    this.#edgeDecoder.push(told, (reader) => decodeToEdge(reader, edge, unexpected));
  }

  /** Cuts it: what is on its way is lost, in both directions. */
  cut(): void {
    const fate = this.#fate;
    this.stop();
    fate?.gone();
  }
}
