/**
 * What people see: the lines of each room and conversation, in the mesh's total order, and what members say of themselves.
 *
 * A timeline is a sorted list of nodes; the texts stay in the store and are read when they are shown. A line that arrives
 * late is put where it belongs, and the event says so (`earlier`), so a screen can insert it instead of appending. The
 * order never depends on arrival, so all peers with the same entries show the same lines in the same order.
 *
 * A direct message that this device cannot open (not authentic, or not a text) is in the log and in no timeline.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import { nameKey, parseNick } from "../../protocol/names.ts";
import type { EntryHash, Insertion, PeerId, Place, TimelineItem } from "./api.ts";
import { checkedText, type Body } from "./bodies.ts";
import { decodeUtf8, FormatError } from "./bytes.ts";
import type { Entry } from "./entry.ts";
import { compareNodes, insertionIndex, type Author, type Graph, type Node } from "./graph.ts";

/** An entry as the store gives it back. */
export interface StoredLine {
  readonly entry: Entry;
  readonly body: Body;
  /** ms since 1970. */
  readonly receivedAt: number;
}

/** What timelines need of the core around them. */
export interface TimelineHost {
  graph(): Graph;
  /** Key of this device, hex. */
  readonly self: string;
  /** An entry of the log, from the store. */
  read(hash: EntryHash): StoredLine | undefined;
  /** Opens a direct message between this device and `other`, written by `author`. */
  open(author: Author, other: Author, sealed: Uint8Array): Uint8Array | undefined;
  /** Clock of the author's removal, or undefined. */
  removedAt(key: string): number | undefined;
}

/** A value of which the latest by order counts. */
interface Latest<T> {
  readonly node: Node;
  readonly value: T;
}

/** What changed by one entry. */
export type Change =
  | { readonly kind: "line"; readonly insertion: Insertion }
  | { readonly kind: "topic"; readonly room: string; readonly topic: string | undefined }
  | { readonly kind: "member"; readonly key: string };

interface Timeline {
  readonly place: Place;
  readonly nodes: Node[];
}

/** All timelines of one core. */
export class Timelines {
  readonly #host: TimelineHost;
  readonly #rooms = new Map<string, Timeline>();
  readonly #direct = new Map<PeerId, Timeline>();
  readonly #topics = new Map<string, Latest<string>>();
  readonly #nicks = new Map<string, Latest<string>>();
  readonly #addresses = new Map<string, Latest<readonly string[]>>();

  constructor(host: TimelineHost) {
    this.#host = host;
  }

  /** Takes note of an entry that is in the log. Returns what a person would notice, in order. */
  note(entry: Entry, body: Body, node: Node, receivedAt: number): Change[] {
    switch (body.kind) {
      case "chat":
      case "action":
        return [this.#insert(this.#room(entry.room), entry, body, node, receivedAt)];
      case "topic": {
        const room = this.#room(entry.room);
        const line = this.#insert(room, entry, body, node, receivedAt);
        const key = nameKey(entry.room);
        if (!latest(this.#topics, key, node, body.text)) return [line];
        return [line, { kind: "topic", room: key, topic: body.text === "" ? undefined : body.text }];
      }
      case "direct":
        return this.#noteDirect(entry, body, node, receivedAt);
      case "profile":
        return latest(this.#nicks, entry.author, node, body.nick)
          ? [{ kind: "member", key: entry.author }]
          : [];
      case "addresses":
        return latest(this.#addresses, entry.author, node, body.addresses)
          ? [{ kind: "member", key: entry.author }]
          : [];
      default:
        return [];
    }
  }

  /** The nick a key announced last, if it is usable. */
  nick(key: string): string | undefined {
    const nick = this.#nicks.get(key)?.value;
    if (nick === undefined) return undefined;
    try {
      return parseNick(nick);
    } catch (error) {
      if (error instanceof ProtocolError) return undefined;
      throw error;
    }
  }

  addresses(key: string): readonly string[] {
    return this.#addresses.get(key)?.value ?? [];
  }

  rooms(): { room: string; topic: string | undefined; messages: number }[] {
    return [...this.#rooms].map(([room, { nodes }]) => {
      const topic = this.#topics.get(room)?.value;
      return { room, topic: topic === "" ? undefined : topic, messages: nodes.length };
    });
  }

  /** Members with whom there is a conversation, the latest first. */
  conversations(): PeerId[] {
    const byLatest = [...this.#direct].sort(([, a], [, b]) => {
      const [x, y] = [a.nodes.at(-1), b.nodes.at(-1)];
      return x === undefined || y === undefined ? 0 : compareNodes(y, x);
    });
    return byLatest.map(([peerId]) => peerId);
  }

  /** See `MeshCoreApi.timeline`. */
  slice(place: Place, limit: number, before?: number): TimelineItem[] {
    const timeline = this.#at(place);
    if (timeline === undefined) return [];
    const end = Math.min(before ?? timeline.nodes.length, timeline.nodes.length);
    const items: TimelineItem[] = [];
    for (const node of timeline.nodes.slice(Math.max(0, end - limit), Math.max(0, end))) {
      const item = this.#read(node, timeline.place);
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  /** Lines of a place. */
  count(place: Place): number {
    return this.#at(place)?.nodes.length ?? 0;
  }

  #at(place: Place): Timeline | undefined {
    return "room" in place ? this.#rooms.get(nameKey(place.room)) : this.#direct.get(place.direct);
  }

  #noteDirect(
    entry: Entry,
    body: Extract<Body, { kind: "direct" }>,
    node: Node,
    receivedAt: number,
  ): Change[] {
    const { self } = this.#host;
    if (entry.author !== self && body.to !== self) return [];
    if (this.#openText(node, body) === undefined) return [];
    const other = this.#host.graph().author(entry.author === self ? body.to : entry.author).peerId;
    let timeline = this.#direct.get(other);
    if (timeline === undefined) {
      timeline = { place: { direct: other }, nodes: [] };
      this.#direct.set(other, timeline);
    }
    return [this.#insert(timeline, entry, body, node, receivedAt)];
  }

  #room(name: string): Timeline {
    // Entries of our own and of most others spell a room by its key already.
    let timeline = this.#rooms.get(name);
    if (timeline !== undefined) return timeline;
    const room = nameKey(name);
    timeline = this.#rooms.get(room);
    if (timeline === undefined) {
      timeline = { place: { room }, nodes: [] };
      this.#rooms.set(room, timeline);
    }
    return timeline;
  }

  #insert(timeline: Timeline, entry: Entry, body: Body, node: Node, receivedAt: number): Change {
    const { nodes, place } = timeline;
    const index = insertionIndex(nodes, node);
    const earlier = index < nodes.length;
    if (earlier) nodes.splice(index, 0, node);
    else nodes.push(node);
    const item = this.#item(entry, body, node, place, receivedAt);
    if (item === undefined) throw new Error("invariant: only lines that can be shown are inserted");
    return { kind: "line", insertion: { item, index, earlier } };
  }

  #read(node: Node, place: Place): TimelineItem | undefined {
    const stored = this.#host.read(node.hash);
    if (stored === undefined) return undefined;
    return this.#item(stored.entry, stored.body, node, place, stored.receivedAt);
  }

  #item(entry: Entry, body: Body, node: Node, place: Place, receivedAt: number): TimelineItem | undefined {
    const { author } = node.segment;
    let text: string | undefined;
    if (body.kind === "direct") text = this.#openText(node, body);
    else if (body.kind === "chat" || body.kind === "action" || body.kind === "topic") text = body.text;
    if (text === undefined || !isLine(body)) return undefined;
    return {
      hash: entry.hash,
      author: author.peerId,
      kind: body.kind,
      place,
      text,
      at: Math.min(Math.floor(entry.clock / 1000), receivedAt),
      forked: author.forks > 0,
      afterRemoval: entry.clock > (this.#host.removedAt(author.key) ?? Number.POSITIVE_INFINITY),
    };
  }

  #openText(node: Node, body: Extract<Body, { kind: "direct" }>): string | undefined {
    const graph = this.#host.graph();
    const { author } = node.segment;
    const other = author.key === this.#host.self ? graph.author(body.to) : author;
    const plain = this.#host.open(author, other, body.sealed);
    if (plain === undefined) return undefined;
    try {
      return checkedText("direct", decodeUtf8(plain, "direct"));
    } catch (error) {
      if (error instanceof FormatError) return undefined;
      throw error;
    }
  }
}

const lineKinds: ReadonlySet<string> = new Set(["chat", "action", "topic", "direct"]);

function isLine(body: Body): body is Extract<Body, { kind: TimelineItem["kind"] }> {
  return lineKinds.has(body.kind);
}

/** Keeps the later of two values by order; true when `value` is now the latest. */
function latest<T>(all: Map<string, Latest<T>>, key: string, node: Node, value: T): boolean {
  const known = all.get(key);
  if (known !== undefined && compareNodes(known.node, node) > 0) return false;
  all.set(key, { node, value });
  return true;
}
