/**
 * A mesh's timelines as the rooms of a screen, and its lines as the protocol's messages.
 *
 * A screen counts messages by a `seq` that only rises. A timeline has no such number: after a partition, lines turn up
 * between older ones. So a room's lines are numbered in the order in which this screen shows them: those that a join
 * brings by their place in the timeline, and everything that comes later by the next number, wherever it belongs. When
 * the room is joined again all stand in the mesh's own order, which is the same for everybody.
 */
import type { RoomView } from "../../client/rooms.ts";
import type { Words } from "../../tui/language/words.ts";
import { findPeer, isTrusted, nameless, plainName } from "../../mesh/console/names.ts";
import type { EntryHash, PeerId, Place, TimelineItem } from "../../mesh/core/api.ts";
import type { MeshNode } from "../../mesh/node/node.ts";
import type { PeerView } from "../../mesh/node/views.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { clientLimits } from "../../protocol/limits.ts";
import type { Joined, Message } from "../../protocol/messages.ts";
import { nameKey, parseRoom } from "../../protocol/names.ts";

/** One room on the screen. */
class MeshRoom implements RoomView {
  readonly name: string;
  readonly state = "joined";
  readonly #rooms: MeshRooms;
  /** Number of the last line that was shown. */
  seq = 0;

  constructor(rooms: MeshRooms, name: string) {
    this.#rooms = rooms;
    this.name = name;
  }

  get position(): RoomView["position"] {
    return { epoch: this.#rooms.epoch, seq: this.seq };
  }

  /** Everybody in the mesh is in every room; those who can be reached now count. */
  get members(): ReadonlyMap<string, string> {
    return this.#rooms.present;
  }

  readonly away: ReadonlyMap<string, string> = new Map();
  readonly bots: ReadonlySet<string> = new Set();

  get memberCount(): number {
    return this.members.size;
  }

  get topic(): string {
    return this.#rooms.topicOf(this.name);
  }
}

/** The rooms that the screen has open, and who is in them. */
export class MeshRooms {
  readonly open = new Map<string, MeshRoom>();
  readonly #node: MeshNode;
  /** The id under which this side wrote an entry. */
  readonly #idOf: (hash: EntryHash) => string | undefined;
  /** Number of the last line of each conversation on this screen. */
  readonly #conversations = new Map<PeerId, number>();
  #peers: Map<string, PeerView> | undefined;
  #present: Map<string, string> | undefined;
  /** Of the node, when these were made. */
  #changes = 0;

  /** What we are called until the log says. */
  readonly #ownNick: string;
  readonly #words: Words["peers"];

  constructor(
    node: MeshNode,
    ownNick: string,
    words: Words["peers"],
    idOf: (hash: EntryHash) => string | undefined,
  ) {
    this.#words = words;
    this.#node = node;
    this.#ownNick = ownNick;
    this.#idOf = idOf;
  }

  /** Names the mesh: numbers of one epoch are of one mesh. */
  get epoch(): string {
    return Buffer.from(this.#node.core.meshId).toString("base64url");
  }

  /** A member, as called and reached now. */
  peer(peerId: PeerId): PeerView | undefined {
    this.#forgetIfChanged();
    this.#peers ??= new Map(this.#node.peers().map((peer) => [peer.peerId, peer]));
    return this.#peers.get(peerId);
  }

  /** What somebody is called, member or not. */
  nameOf(peerId: PeerId): string {
    const peer = this.peer(peerId);
    if (peerId === this.#node.self && peer?.nick === undefined) return this.#ownNick;
    return peer === undefined ? nameless(peerId) : plainName(peer);
  }

  /** Names of those who are here, by their keys. */
  get present(): ReadonlyMap<string, string> {
    this.#forgetIfChanged();
    this.#present ??= new Map(
      this.#node
        .peers()
        .filter(({ presence, removedBy }) => presence !== "away" && removedBy === undefined)
        .map(({ peerId }) => this.nameOf(peerId))
        .map((name) => [nameKey(name), name]),
    );
    return this.#present;
  }

  /** Describing fifty members for every line that is shown costs more than the line. */
  #forgetIfChanged(): void {
    if (this.#changes === this.#node.memberChanges) return;
    this.#changes = this.#node.memberChanges;
    this.#peers = undefined;
    this.#present = undefined;
  }

  topicOf(room: string): string {
    return this.#node.core.rooms().find((one) => one.room === room)?.topic ?? "";
  }

  /** Lines in a place. */
  count(place: Place): number {
    return this.#node.core.count(place);
  }

  /** Opens a room, with the last `history` lines; undefined when it is open already. @throws StoreError and opens nothing */
  join(name: string, history: number): Joined | undefined {
    if (this.open.has(name)) return undefined;
    const room = new MeshRoom(this, name);
    const items = history === 0 ? [] : this.#node.core.timeline({ room: name }, history);
    this.open.set(name, room);
    room.seq = this.count({ room: name });
    const messages = this.page(items, room.seq);
    const members = [...this.present.values()].slice(0, clientLimits.membersListed);
    const { topic, memberCount, seq } = room;
    const { epoch } = this;
    return {
      type: "joined",
      room: name,
      epoch,
      seq,
      members,
      memberCount,
      topic,
      messages,
      recovered: true,
    };
  }

  /** Lines that end with number `last`, as messages. */
  page(items: readonly TimelineItem[], last: number): Message[] {
    return items.flatMap((item, index) => this.message(item, last - items.length + index + 1));
  }

  /** The number for a line that is shown now; undefined when its room is not open. */
  nextSeq(place: Place): number | undefined {
    if ("room" in place) {
      const room = this.open.get(place.room);
      if (room !== undefined) room.seq += 1;
      return room?.seq;
    }
    const seq = (this.#conversations.get(place.direct) ?? this.count(place) - 1) + 1;
    this.#conversations.set(place.direct, seq);
    return seq;
  }

  /** Rooms of another mesh begin anew. Returns those of which something was shown. */
  restart(): string[] {
    this.#conversations.clear();
    const shown = [...this.open.values()].filter(({ seq }) => seq > 0);
    for (const room of shown) room.seq = 0;
    return shown.map(({ name }) => name);
  }

  /** A line as a message; none for a topic, which is an object of its own. */
  message(item: TimelineItem, seq: number): Message[] {
    if (item.kind === "topic") return [];
    const author = this.peer(item.author);
    const unverified = author !== undefined && isTrusted(author) ? {} : { unverified: true as const };
    const action = item.kind === "action" ? { action: true as const } : {};
    const forked = item.forked ? { forked: true } : {};
    const late = item.afterRemoval ? { afterRemoval: true } : {};
    const message = {
      type: "message" as const,
      room: this.roomOf(item.place),
      seq,
      id: this.#idOf(item.hash) ?? item.hash,
      from: this.nameOf(item.author),
      at: item.at,
      text: item.text,
      ...unverified,
      ...action,
      // More than the protocol's fields: what proves who spoke, that somebody else may hold that key too, and that its
      // owner had been removed by then.
      peer: item.author,
      ...forked,
      ...late,
    };
    return [message];
  }

  /** A room's name, or `@` and the other side's. */
  roomOf(place: Place): string {
    return "room" in place ? place.room : `@${this.nameOf(place.direct)}`;
  }

  /** The place that a room's name or `@name` means. @throws ProtocolError */
  placeOf(name: string): Place {
    if (!name.startsWith("@")) return { room: parseRoom(name) };
    const found = findPeer(name, this.#node.peers(), this.#words);
    if ("problem" in found) throw new ProtocolError("no-such-nick", found.problem);
    return { direct: found.peerId };
  }
}
