/**
 * An edge that writes down what each of its clients would have received.
 *
 * It keeps what a real one keeps (tokens, groups, positions, lines finished) and checks what a hub promises: a group is
 * defined before it is used, lines are whole, `done` never goes back, positions move by what was given.
 */
import type {
  CloseReason,
  EdgePort,
  GroupId,
  GroupView,
  Handover,
  HubHost,
  HubPort,
  Origin,
  SessionId,
} from "../../../src/edge/trunk.ts";
import { INBOX } from "../../../src/protocol/messages.ts";
import type { Position, ServerMessage } from "../../../src/protocol/messages.ts";

interface GroupState {
  readonly name: string;
  position: Position;
  roster: number;
  readonly members: Set<SessionId>;
}

interface ClientState {
  /** Lines received and not yet looked at. */
  inbox: string[];
  /** Frames that carried something to this session alone. */
  frames: number;
  done: number;
  moves: number;
  readonly origin: Origin;
  token: string;
  closed: string | undefined;
  /** What a hand-over would tell of groups that the session is not in yet. */
  readonly views: Map<string, GroupView>;
}

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

export class TestEdge implements EdgePort {
  readonly port: HubPort;
  readonly groups = new Map<GroupId, GroupState>();
  /** Group frames received. */
  groupFrames = 0;
  drained = false;
  readonly #clients = new Map<SessionId, ClientState>();
  readonly #clock: () => number;
  readonly #name: string;
  readonly #detach: () => void;
  #last = 0;

  constructor(hub: HubHost, clock: () => number, name: string) {
    this.#clock = clock;
    this.#name = name;
    const attached = hub.attach(this, name);
    this.port = attached.port;
    this.#detach = () => attached.detach();
  }

  /** A new client. */
  open(address = "192.0.2.1:1000"): TestClient {
    const id = this.#last + 1;
    const connection = `${this.#name}-${id}`;
    const origin = { address, edge: this.#name, acceptedAt: this.#clock(), connection };
    this.#new(origin);
    this.port.open(id, origin);
    return new TestClient(this, id);
  }

  /** A client that comes over from another hub. */
  resume(handover: Handover): TestClient {
    const id = this.#new(handover.origin);
    const state = this.client(id);
    state.done = handover.done;
    state.token = handover.token;
    state.moves = handover.moves;
    for (const view of handover.groups) state.views.set(view.name, view);
    this.port.resume(id, handover);
    return new TestClient(this, id);
  }

  #new(origin: Origin): SessionId {
    this.#last += 1;
    const views = new Map<string, GroupView>();
    this.#clients.set(this.#last, {
      origin,
      inbox: [],
      frames: 0,
      done: 0,
      moves: 0,
      token: "",
      closed: undefined,
      views,
    });
    return this.#last;
  }

  detach(): void {
    this.#detach();
  }

  client(id: SessionId): ClientState {
    const client = this.#clients.get(id);
    if (client === undefined) throw new Error(`the hub speaks of session ${id}, which never was`);
    return client;
  }

  /** What a hand-over would bring. */
  handover(id: SessionId): Handover {
    const client = this.client(id);
    const views = new Map(client.views);
    for (const { name, position, roster, members } of this.groups.values()) {
      if (members.has(id)) views.set(name, { name, position, roster });
    }
    return {
      origin: client.origin,
      token: client.token,
      done: client.done,
      moves: client.moves + 1,
      groups: [...views.values()],
    };
  }

  #deliver(id: SessionId, bytes: Uint8Array): void {
    const client = this.client(id);
    if (bytes.length === 0 || client.closed !== undefined) return;
    if (bytes.at(-1) !== 0x0a) throw new Error("the hub sent an incomplete line");
    client.inbox.push(...decoder.decode(bytes).slice(0, -1).split("\n"));
  }

  send(id: SessionId, bytes: Uint8Array, done: number): void {
    const client = this.client(id);
    if (done < client.done) throw new Error(`done went back from ${client.done} to ${done}`);
    client.done = done;
    client.frames += 1;
    this.#deliver(id, bytes);
  }

  define(id: GroupId, name: string, position: Position, roster: number): void {
    if (this.groups.has(id)) throw new Error(`group ${id} is defined twice`);
    this.groups.set(id, { name, position, roster, members: new Set() });
  }

  #group(id: GroupId): GroupState {
    const group = this.groups.get(id);
    if (group === undefined) throw new Error(`group ${id} is not defined`);
    return group;
  }

  group(id: GroupId, bytes: Uint8Array, seq: number, roster: number, except: SessionId): void {
    const group = this.#group(id);
    if (seq < group.position.seq) throw new Error(`group ${group.name} went back to ${seq}`);
    group.position = { epoch: group.position.epoch, seq };
    group.roster = roster;
    this.groupFrames += 1;
    for (const member of group.members) if (member !== except) this.#deliver(member, bytes);
  }

  join(id: SessionId, group: GroupId, bytes: Uint8Array, done: number): void {
    this.send(id, bytes, done);
    const state = this.#group(group);
    this.client(id).views.delete(state.name);
    for (const [other, { name, members }] of this.groups) {
      if (other !== group && name === state.name) members.delete(id);
    }
    state.members.add(id);
  }

  leave(id: SessionId, group: GroupId): void {
    if (!this.#group(group).members.delete(id)) throw new Error(`session ${id} was not in group ${group}`);
  }

  drop(group: GroupId): void {
    if (!this.groups.delete(group)) throw new Error(`group ${group} is dropped twice`);
  }

  replay(id: SessionId, name: string, bytes: Uint8Array, seq: number): void {
    const { views } = this.client(id);
    const view = views.get(name);
    if (view === undefined) throw new Error(`a replay for ${name}, of which session ${id} has no view`);
    if (seq <= view.position.seq) throw new Error(`a replay that brings ${name} back to ${seq}`);
    views.set(name, { ...view, position: { epoch: view.position.epoch, seq } });
    this.#deliver(id, bytes);
  }

  token(id: SessionId, token: string): void {
    this.client(id).token = token;
  }

  close(id: SessionId, code: string): void {
    const client = this.client(id);
    client.closed ??= code;
    for (const { members } of this.groups.values()) members.delete(id);
  }

  drain(): void {
    this.drained = true;
  }
}

/** One client of a {@link TestEdge}. */
export class TestClient {
  readonly edge: TestEdge;
  readonly id: SessionId;

  constructor(edge: TestEdge, id: SessionId) {
    this.edge = edge;
    this.id = id;
  }

  /** Says requests, all in one chunk. Strings are lines as they are. */
  say(...requests: readonly (object | string)[]): this {
    const lines = requests.map((request) =>
      typeof request === "string" ? request : JSON.stringify(request),
    );
    this.edge.port.lines(this.id, encoder.encode(lines.map((line) => `${line}\n`).join("")));
    return this;
  }

  sayBytes(bytes: Uint8Array): this {
    this.edge.port.lines(this.id, bytes);
    return this;
  }

  /** Takes the lines received since the last time. */
  lines(): string[] {
    const state = this.edge.client(this.id);
    const { inbox } = state;
    state.inbox = [];
    return inbox;
  }

  /** The same, parsed. */
  heard(): ServerMessage[] {
    return this.lines().map((line) => JSON.parse(line) as ServerMessage);
  }

  get done(): number {
    return this.edge.client(this.id).done;
  }

  get frames(): number {
    return this.edge.client(this.id).frames;
  }

  get closed(): string | undefined {
    return this.edge.client(this.id).closed;
  }

  /** Rooms of the groups the session is in, without the inbox. */
  get rooms(): string[] {
    const groups = [...this.edge.groups.values()].filter(({ members }) => members.has(this.id));
    return groups.map(({ name }) => name).filter((name) => name !== INBOX);
  }

  /** The session's name, as its token has it. */
  get session(): string {
    const [payload = ""] = this.handover().token.split(".");
    return (JSON.parse(Buffer.from(payload, "base64url").toString()) as { s: string }).s;
  }

  handover(): Handover {
    return this.edge.handover(this.id);
  }

  close(reason: CloseReason): void {
    this.edge.port.close(this.id, reason);
    this.edge.close(this.id, reason);
  }
}
