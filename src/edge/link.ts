/**
 * One trunk as its edge sees it: the sessions on it, the groups it has defined, and fan-out.
 *
 * What the hub says comes in here, in order, and goes to clients as the bytes it came as: nothing is decoded, a group
 * frame is one slice appended to each member's outbox. Nothing here calls the hub back while the hub is speaking; what
 * a hub's word makes possible (further lines, say) happens at the end of the turn. So a hub in the same process may
 * walk its own lists while it speaks.
 */
import type { ErrorCode } from "../protocol/errors.ts";
import type { Position } from "../protocol/messages.ts";
import { Group } from "./group.ts";
import type { Session } from "./session.ts";
import type { EdgePort, GroupId, HubPort, SessionId, Trunk, TrunkFate } from "./trunk.ts";

/** What a link needs of its edge. */
export interface LinkOwner {
  /** The hub wants to be left. */
  linkDraining(link: TrunkLink): void;
  /** The trunk is gone; the link has no sessions any more, these were on it. */
  linkGone(link: TrunkLink, sessions: readonly Session[]): void;
  linkPressed(link: TrunkLink, pressed: boolean): void;
}

/** See the head of this file. Made by Edge.attach. */
export class TrunkLink implements EdgePort, TrunkFate {
  /** What the owner calls it: a backend's address, say. */
  readonly label: string;
  /** Payload from clients, and to them (counted once a client). */
  bytesIn = 0;
  bytesOut = 0;
  linesIn = 0;
  readonly #owner: LinkOwner;
  readonly #trunk: Trunk;
  #hub: HubPort | undefined;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #groups = new Map<GroupId, Group>();
  #lastId: SessionId = 0;
  #isPressed = false;
  #isDraining = false;

  constructor(owner: LinkOwner, trunk: Trunk, label: string) {
    this.#owner = owner;
    this.#trunk = trunk;
    this.label = label;
    this.#hub = trunk.start(this, this);
  }

  /** False once the trunk is gone: no session may be added. */
  get isOpen(): boolean {
    return this.#hub !== undefined;
  }

  /** The trunk is behind; sessions here are not read. */
  get isPressed(): boolean {
    return this.#isPressed;
  }

  /** The hub has asked to be left. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Sessions here now. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Sessions here now, in the order they came. */
  get sessions(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** Groups defined now. */
  get groupCount(): number {
    return this.#groups.size;
  }

  /** The hub; for sessions on this link. */
  get hub(): HubPort | undefined {
    return this.#hub;
  }

  /** Gives a session a number. @returns the number; the caller tells the hub */
  add(session: Session): SessionId {
    this.#lastId += 1;
    this.#sessions.set(this.#lastId, session);
    return this.#lastId;
  }

  /** True if this session is here. */
  has(session: Session): boolean {
    return this.#sessions.get(session.id) === session;
  }

  /** Forgets a session here. The caller tells the hub, if it does not know. */
  remove(session: Session): void {
    if (!this.has(session)) return;
    this.#sessions.delete(session.id);
    while (session.groups.length > 0) session.groups.at(-1)?.remove(session);
  }

  /** Leaves the hub. Sessions that are still here go elsewhere. */
  stop(): void {
    if (this.#hub === undefined) return;
    this.gone();
    this.#trunk.stop();
  }

  // What the hub says.

  send(id: SessionId, bytes: Uint8Array, done: number): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.bytesOut += bytes.length;
    session.answered(bytes, done);
  }

  group(id: GroupId, bytes: Uint8Array, seq: number, roster: number, except: SessionId): void {
    const group = this.#groups.get(id);
    if (group === undefined) return;
    group.seq = seq;
    group.roster = roster;
    const { members } = group;
    for (const session of members) if (session.id !== except) session.connection.write(bytes);
    this.bytesOut += bytes.length * members.length;
  }

  define(id: GroupId, name: string, position: Position, roster: number): void {
    this.#groups.get(id)?.clear();
    this.#groups.set(id, new Group(id, name, position.epoch, position.seq, roster));
  }

  join(id: SessionId, groupId: GroupId, bytes: Uint8Array, done: number): void {
    this.send(id, bytes, done);
    // A client that was dropped by what it was just given is gone by now.
    const session = this.#sessions.get(id);
    const group = this.#groups.get(groupId);
    if (session === undefined || group === undefined) return;
    group.add(session);
    session.joined(group);
  }

  leave(id: SessionId, groupId: GroupId): void {
    const session = this.#sessions.get(id);
    const group = this.#groups.get(groupId);
    if (session === undefined || group === undefined) return;
    group.remove(session);
  }

  drop(id: GroupId): void {
    this.#groups.get(id)?.clear();
    this.#groups.delete(id);
  }

  replay(id: SessionId, name: string, bytes: Uint8Array, seq: number): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.bytesOut += bytes.length;
    session.replayed(name, bytes, seq);
  }

  token(id: SessionId, token: string): void {
    this.#sessions.get(id)?.renewToken(token);
  }

  close(id: SessionId, code: ErrorCode | "bye"): void {
    this.#sessions.get(id)?.dismissed(code);
  }

  drain(): void {
    if (this.#isDraining || this.#hub === undefined) return;
    this.#isDraining = true;
    this.#owner.linkDraining(this);
  }

  // What becomes of the trunk.

  pressed(): void {
    this.#press(true);
  }

  eased(): void {
    this.#press(false);
  }

  gone(): void {
    if (this.#hub === undefined) return;
    this.#hub = undefined;
    const sessions = [...this.#sessions.values()];
    for (const session of sessions) session.rememberGroups();
    this.#sessions.clear();
    for (const group of this.#groups.values()) group.clear();
    this.#groups.clear();
    this.#owner.linkGone(this, sessions);
  }

  #press(isPressed: boolean): void {
    if (this.#isPressed === isPressed || this.#hub === undefined) return;
    this.#isPressed = isPressed;
    for (const session of this.#sessions.values()) session.regulate();
    this.#owner.linkPressed(this, isPressed);
  }
}
