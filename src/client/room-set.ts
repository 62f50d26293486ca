/**
 * The rooms a client wants to be in, and its inbox: joined again on every connection from where they stood.
 *
 * The inbox is a log like a room's, with no members: it is followed from `welcome` on, and caught up by a join with a
 * position when the same session comes back.
 */
import type { Clock, Random } from "../protocol/clock.ts";
import { errorKinds, isErrorCode } from "../protocol/errors.ts";
import { INBOX } from "../protocol/messages.ts";
import type {
  ErrorMessage,
  Joined,
  Message,
  Position,
  ServerMessage,
  Welcome,
} from "../protocol/messages.ts";
import { nameKey } from "../protocol/names.ts";
import type { ClientListener } from "./events.ts";
import { isDirect } from "./inbound.ts";
import { retryDelay } from "./retry.ts";
import { Room } from "./rooms.ts";
import type { RoomView } from "./rooms.ts";

/** What the rooms ask of their session. */
export interface RoomSetHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: ClientListener;
  readonly newId: () => string;
  /** Welcomed and not yet disconnected. */
  online(): boolean;
  write(object: { readonly type: "join" | "leave"; readonly [field: string]: unknown }): void;
  /** Messages for this room may be written now. */
  ready(): void;
  /** The server refuses this room for good. */
  refused(room: string, error: ErrorMessage): void;
}

/** A join that is not answered yet. */
interface PendingJoin {
  readonly room: string;
  readonly failures: number;
}

export class RoomSet {
  readonly #host: RoomSetHost;
  readonly #rooms = new Map<string, Room>();
  readonly #inbox = new Room(INBOX, 0);
  readonly #joins = new Map<string, PendingJoin>();

  constructor(host: RoomSetHost) {
    this.#host = host;
  }

  get rooms(): ReadonlyMap<string, RoomView> {
    return this.#rooms;
  }
  get inbox(): RoomView {
    return this.#inbox;
  }

  /** May a message go to this room's key or `@nick` now? */
  ready(room: string): boolean {
    if (!this.#host.online()) return false;
    return isDirect({ room }) ? true : this.#rooms.get(room)?.state === "joined";
  }

  has(room: string): boolean {
    return this.#rooms.has(room);
  }

  /**
   * Wants to be in a room, now and on every later connection.
   * @param since where an earlier run stood; what came after it is brought
   */
  join(key: string, history: number, since?: Position): RoomView {
    const known = this.#rooms.get(key);
    if (known !== undefined) return known;
    const room = new Room(key, history);
    room.position = since;
    this.#rooms.set(key, room);
    if (this.#host.online()) this.#ask(room, 0);
    return room;
  }

  /** Wants to be out of a room. @returns the request's id, undefined if there was nothing to tell a server */
  leave(key: string, id: string): string | undefined {
    if (!this.#rooms.delete(key)) return undefined;
    for (const [join, { room }] of this.#joins) if (room === key) this.#joins.delete(join);
    if (!this.#host.online()) return undefined;
    this.#host.write({ type: "leave", room: key, id });
    return id;
  }

  /** The session says that it is in no such room, though it should be. */
  rejoin(key: string): void {
    const room = this.#rooms.get(key);
    if (room === undefined || room.state === "joining") return;
    room.suspend();
    this.#ask(room, 0);
  }

  welcomed(welcome: Welcome): void {
    this.#welcomeInbox(welcome);
    for (const room of this.#rooms.values()) this.#ask(room, 0);
  }

  #welcomeInbox({ inbox, resumed }: Welcome): void {
    const { position } = this.#inbox;
    const same = position !== undefined && resumed && position.epoch === inbox.epoch;
    if (same && inbox.seq > position.seq) {
      this.#ask(this.#inbox, 0);
      return;
    }
    this.#inbox.state = "joined";
    if (same) return;
    this.#inbox.position = { epoch: inbox.epoch, seq: inbox.seq };
    // Another session's inbox: what the former one missed is not ours to read any more.
    if (position !== undefined) this.#inboxGap(undefined);
  }

  #inboxGap(after: number | undefined): void {
    this.#host.emit({ kind: "gap", gap: { room: INBOX, after, before: undefined } });
  }

  #ask(room: Room, failures: number): void {
    const id = this.#host.newId();
    this.#joins.set(id, { room: room.name, failures });
    const since = room.position === undefined ? {} : { since: room.position };
    this.#host.write({ type: "join", room: room.name, history: room.history, ...since, id });
  }

  disconnected(): void {
    this.#joins.clear();
    for (const room of this.#rooms.values()) room.suspend();
    this.#inbox.suspend();
  }

  /** @returns whether the error answered a join */
  failed(error: ErrorMessage): boolean {
    const join = error.id === undefined ? undefined : this.#joins.get(error.id);
    if (join === undefined || error.id === undefined) return false;
    this.#joins.delete(error.id);
    const room = this.#find(join.room);
    if (room === undefined) return true;
    if (isErrorCode(error.code) && errorKinds[error.code].retry) {
      this.#askLater(room, join.failures + 1);
    } else if (room === this.#inbox) {
      room.state = "joined";
      this.#inboxGap(room.position?.seq);
    } else {
      this.#rooms.delete(room.name);
      this.#host.refused(room.name, error);
    }
    return true;
  }

  #askLater(room: Room, failures: number): void {
    this.#host.clock.after(retryDelay(failures - 1, this.#host.random), () => {
      const asked = [...this.#joins.values()].some((join) => join.room === room.name);
      const wanted = this.#find(room.name) === room && room.state === "joining";
      if (wanted && this.#host.online() && !asked) this.#ask(room, failures);
    });
  }

  #find(name: string): Room | undefined {
    return name === INBOX ? this.#inbox : this.#rooms.get(name);
  }

  #follow(name: string): Room | undefined {
    return isDirect({ room: name }) ? this.#inbox : this.#rooms.get(nameKey(name));
  }

  /** Takes what concerns rooms, and gives the owner what is new of it. */
  receive(message: ServerMessage): void {
    switch (message.type) {
      case "message":
        this.#message(message);
        return;
      case "joined":
        this.#joined(message);
        return;
      case "presence":
        this.#follow(message.room)?.presence(message);
        break;
      case "members":
        this.#follow(message.room)?.list(message);
        break;
      case "away":
        if (message.room !== undefined) this.#follow(message.room)?.absence(message);
        break;
      case "topic": {
        const room = this.#follow(message.room);
        if (room !== undefined) room.topic = message.text;
        break;
      }
      default:
    }
    this.#host.emit({ kind: "received", message, rejoined: false });
  }

  #message(message: Message): void {
    // Of a room that was just left.
    const room = this.#follow(message.room);
    if (room === undefined) return;
    const { fresh, gap } = room.accept(message);
    if (gap !== undefined) this.#host.emit({ kind: "gap", gap });
    if (fresh) this.#host.emit({ kind: "received", message, rejoined: false });
  }

  #joined(joined: Joined): void {
    if (joined.id !== undefined) this.#joins.delete(joined.id);
    const room = this.#follow(joined.room);
    if (room === undefined) return;
    const rejoined = room.position !== undefined;
    const { messages, gap } = room.join(joined);
    if (gap !== undefined) this.#host.emit({ kind: "gap", gap });
    this.#host.emit({ kind: "received", message: { ...joined, messages }, rejoined });
    this.#host.ready();
  }
}
