/**
 * One edge at this hub: its sessions and its groups.
 *
 * What the edge says comes in here and goes to the session it is about; numbers the edge does not know any more, or this
 * hub does not, are ignored, because the two sides forget them at different moments.
 */
import type { CloseReason, EdgePort, GroupId, Handover, HubPort, Origin, SessionId } from "../edge/trunk.ts";
import { errorKinds } from "../protocol/errors.ts";
import type { Core, Fate } from "./core.ts";
import { Group } from "./group.ts";
import { resume } from "./resume.ts";
import type { Room } from "./room.ts";
import { Session } from "./session.ts";

const NEW = { done: 0, moves: 0 };

/** See above. */
export class Attachment implements HubPort {
  readonly edge: EdgePort;
  /** The edge's name, for operators. */
  readonly name: string;
  readonly #core: Core;
  readonly #sessions = new Map<SessionId, Session>();
  #lastGroup: GroupId = 0;

  constructor(core: Core, edge: EdgePort, name: string) {
    this.#core = core;
    this.edge = edge;
    this.name = name;
  }

  /** Sessions of this edge, welcomed or not. */
  get size(): number {
    return this.#sessions.size;
  }

  open(id: SessionId, origin: Origin): void {
    if (this.#sessions.has(id)) return;
    const session = new Session(this.#core, this, id, origin, NEW);
    this.#sessions.set(id, session);
    session.awaitHello();
  }

  resume(id: SessionId, handover: Handover): void {
    if (this.#sessions.has(id)) return;
    const session = new Session(this.#core, this, id, handover.origin, handover);
    this.#sessions.set(id, session);
    resume(this.#core, session, handover);
  }

  lines(id: SessionId, lines: Uint8Array): void {
    this.#sessions.get(id)?.take(lines);
  }

  close(id: SessionId, reason: CloseReason): void {
    this.#sessions.get(id)?.end(fateOf(reason));
  }

  /** The edge is gone with all its sessions, which are expected back. */
  detach(): void {
    for (const session of this.#sessions.values()) session.end("grace");
  }

  /** Forgets a session that has ended. */
  forget(session: Session): void {
    this.#sessions.delete(session.id);
  }

  /**
   * Puts a session into a room's group, with the lines that bring it to the room's position, in the turn in which they
   * do. Takes over the caller's hold on the room (see Rooms.acquire).
   */
  enter(session: Session, room: Room, bytes: Uint8Array, done: number): void {
    // A room has a group an edge, which are few.
    let group = room.groups.find(({ attachment }) => attachment === this);
    if (group === undefined) {
      group = new Group(this, room);
      room.addGroup(group);
    }
    group.sessions.add(session);
    session.memberships.add(group);
    this.edge.join(session.id, group.id, bytes, done);
  }

  /**
   * Takes a session out of a group. The edge is not told: it is closing the session, or {@link leave} tells it.
   * @param lingers somebody may soon be in the room again (see Rooms.release)
   */
  exit(session: Session, group: Group, lingers = true): void {
    if (!group.sessions.delete(session)) return;
    session.memberships.delete(group.room.name);
    if (group.sessions.size === 0) {
      group.room.removeGroup(group);
      this.edge.drop(group.id);
    }
    this.#core.rooms.release(group.room, lingers);
  }

  leave(session: Session, group: Group): void {
    this.edge.leave(session.id, group.id);
    this.exit(session, group);
  }

  /** Gives a room a new number on this trunk. */
  defineGroup(room: Room): GroupId {
    this.#lastGroup += 1;
    this.edge.define(this.#lastGroup, room.name, room.position, room.digest);
    return this.#lastGroup;
  }
}

/** Somebody who left is gone; somebody whose connection failed, or who was told to come back, is expected. */
function fateOf(reason: CloseReason): Fate {
  if (reason === "ended") return "release";
  return reason === "failed" || errorKinds[reason].comeBack ? "grace" : "release";
}
