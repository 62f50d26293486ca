/**
 * An edge with several trunks, as a balancer has, on which everything takes its time and any trunk may be lost.
 *
 * Both directions of a trunk are queues whose contents are lost with it: what the hub said and the edge did not hear, and
 * what the edge said beyond what the hub had heard by then. The hub notices the loss later, or never.
 */
import type {
  EdgePort,
  GroupId,
  GroupView,
  Handover,
  HubPort,
  Origin,
  SessionId,
} from "../../../src/edge/trunk.ts";
import type { Random } from "../../../src/protocol/clock.ts";
import type { Position } from "../../../src/protocol/messages.ts";
import type { Site } from "./world.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

interface SimGroup {
  readonly name: string;
  position: Position;
  roster: number;
  readonly members: Set<SimConnection>;
}

/** A client's connection, which stays while trunks come and go. */
export class SimConnection {
  trunk: SimTrunk;
  id: SessionId = 0;
  done = 0;
  moves = 0;
  token = "";
  open = true;
  /** Lines not finished, oldest first. */
  unfinished: string[] = [];
  views = new Map<string, GroupView>();
  readonly #origin: Origin;
  readonly hear: (line: string) => void;
  readonly closed: (code: string) => void;

  constructor(
    trunk: SimTrunk,
    acceptedAt: number,
    connection: string,
    hear: (line: string) => void,
    closed: (code: string) => void,
  ) {
    this.#origin = { address: "192.0.2.1:1000", edge: "sim", acceptedAt, connection };
    this.trunk = trunk;
    this.hear = hear;
    this.closed = closed;
    trunk.add(this);
    const { id } = this;
    trunk.tell((port) => port.open(id, this.#origin));
  }

  say(...requests: readonly object[]): void {
    if (!this.open) return;
    const lines = requests.map((request) => `${JSON.stringify(request)}\n`);
    this.unfinished.push(...lines);
    this.#give(lines);
  }

  #give(lines: readonly string[]): void {
    const { id } = this;
    const bytes = encoder.encode(lines.join(""));
    if (bytes.length > 0) this.trunk.tell((port) => port.lines(id, bytes));
  }

  /** The client's socket fails, or is closed by it. */
  end(reason: "failed" | "ended"): void {
    if (!this.open) return;
    this.open = false;
    const { id } = this;
    this.trunk.remove(this);
    this.trunk.tell((port) => port.close(id, reason));
  }

  /** Goes on at another hub. */
  moveTo(trunk: SimTrunk, drained: boolean): void {
    const { id, trunk: before } = this;
    const handover: Handover = {
      origin: this.#origin,
      token: this.token,
      done: this.done,
      moves: (this.moves += 1),
      groups: before.viewsOf(this),
    };
    before.remove(this);
    if (drained) before.tell((port) => port.close(id, "going-away"));
    this.views = new Map(handover.groups.map((view) => [view.name, view]));
    this.trunk = trunk;
    trunk.add(this);
    const next = this.id;
    trunk.tell((port) => port.resume(next, handover));
    this.#give(this.unfinished);
  }

  deliver(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    for (const line of decoder.decode(bytes).slice(0, -1).split("\n")) this.hear(line);
  }

  finish(done: number): void {
    if (done < this.done) throw new Error(`done went back from ${this.done} to ${done}`);
    this.unfinished.splice(0, done - this.done);
    this.done = done;
  }
}

/** One trunk to one hub. */
export class SimTrunk implements EdgePort {
  readonly site: Site;
  alive = true;
  readonly groups = new Map<GroupId, SimGroup>();
  readonly connections = new Map<SessionId, SimConnection>();
  #port: HubPort;
  #detach: () => void;
  #toHub: ((port: HubPort) => void)[] = [];
  #toEdge: (() => void)[] = [];
  #last = 0;

  constructor(site: Site) {
    this.site = site;
    const attached = site.hub.attach(this, "sim");
    this.#port = attached.port;
    this.#detach = () => attached.detach();
  }

  get name(): string {
    return this.site.hub.report().server;
  }

  get waiting(): number {
    return this.#toHub.length + this.#toEdge.length;
  }

  /** Carries one thing over. */
  step(random: Random): void {
    const inwards = random() * this.waiting < this.#toHub.length;
    if (inwards) this.#toHub.shift()?.(this.#port);
    else this.#toEdge.shift()?.();
  }

  tell(what: (port: HubPort) => void): void {
    if (this.alive) this.#toHub.push(what);
  }

  add(connection: SimConnection): void {
    this.#last += 1;
    connection.id = this.#last;
    this.connections.set(this.#last, connection);
  }

  remove(connection: SimConnection): void {
    this.connections.delete(connection.id);
    for (const { members } of this.groups.values()) members.delete(connection);
  }

  viewsOf(connection: SimConnection): GroupView[] {
    const views = new Map(connection.views);
    for (const { name, position, roster, members } of this.groups.values()) {
      if (members.has(connection)) views.set(name, { name, position, roster });
    }
    return [...views.values()];
  }

  /**
   * The trunk is lost: part of what was on its way arrives at the hub, nothing at the edge.
   * @returns what happens when the hub notices
   */
  lose(random: Random): () => void {
    this.alive = false;
    this.#toEdge = [];
    const heard = this.#toHub.splice(0, Math.floor(random() * (this.#toHub.length + 1)));
    this.#toHub = [];
    return () => {
      for (const tell of heard) tell(this.#port);
      this.#detach();
    };
  }

  #later(run: () => void): void {
    if (this.alive) this.#toEdge.push(run);
  }

  #group(id: GroupId): SimGroup {
    const group = this.groups.get(id);
    if (group === undefined) throw new Error(`group ${id} is not defined`);
    return group;
  }

  send(id: SessionId, bytes: Uint8Array, done: number): void {
    this.#later(() => {
      const connection = this.connections.get(id);
      connection?.finish(done);
      connection?.deliver(bytes);
    });
  }

  define(id: GroupId, name: string, position: Position, roster: number): void {
    this.#later(() => {
      if (this.groups.has(id)) throw new Error(`group ${id} is defined twice`);
      this.groups.set(id, { name, position, roster, members: new Set() });
    });
  }

  group(id: GroupId, bytes: Uint8Array, seq: number, roster: number, except: SessionId): void {
    this.#later(() => {
      const group = this.#group(id);
      if (seq < group.position.seq) throw new Error(`${group.name} went back to ${seq}`);
      group.position = { epoch: group.position.epoch, seq };
      group.roster = roster;
      for (const member of group.members) if (member.id !== except) member.deliver(bytes);
    });
  }

  join(id: SessionId, group: GroupId, bytes: Uint8Array, done: number): void {
    this.#later(() => {
      const connection = this.connections.get(id);
      if (connection === undefined) return;
      connection.finish(done);
      connection.deliver(bytes);
      const joined = this.#group(group);
      for (const { name, members } of this.groups.values()) {
        if (name === joined.name) members.delete(connection);
      }
      joined.members.add(connection);
      connection.views.delete(joined.name);
    });
  }

  leave(id: SessionId, group: GroupId): void {
    this.#later(() => {
      const connection = this.connections.get(id);
      if (connection !== undefined) this.#group(group).members.delete(connection);
    });
  }

  drop(group: GroupId): void {
    this.#later(() => {
      if (!this.groups.delete(group)) throw new Error(`group ${group} is dropped twice`);
    });
  }

  replay(id: SessionId, name: string, bytes: Uint8Array, seq: number): void {
    this.#later(() => {
      const connection = this.connections.get(id);
      const view = connection?.views.get(name);
      if (connection === undefined || view === undefined) return;
      connection.views.set(name, { ...view, position: { epoch: view.position.epoch, seq } });
      connection.deliver(bytes);
    });
  }

  token(id: SessionId, token: string): void {
    this.#later(() => {
      const connection = this.connections.get(id);
      if (connection !== undefined) connection.token = token;
    });
  }

  close(id: SessionId, code: string): void {
    this.#later(() => {
      const connection = this.connections.get(id);
      if (connection === undefined) return;
      connection.open = false;
      this.remove(connection);
      connection.closed(code);
    });
  }

  drain(): void {
    this.#later(() => {});
  }
}
