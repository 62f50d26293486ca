/**
 * A mesh as a chat that every screen, pipe and program of rtchat can use: `ChatBackend` over a `MeshNode`.
 *
 * The screen speaks the client protocol's objects; here they are made from what the mesh tells and turned into what the
 * mesh does. What has no equal in the protocol (somebody was let in, a key has changed) is told in lines for people and
 * as objects of its own types for programs. Writing never waits: what is written is in this device's log at once, or
 * will be as soon as there is one, and reaches the others when they can be reached.
 */
import type { AnswerHandler } from "../../client/answers.ts";
import type { ClientEvent, ClientListener, ConnectionState, Failure } from "../../client/events.ts";
import type { Taken } from "../../client/sender.ts";
import type { PlainRequest } from "../../client/session.ts";
import { eventLines, failureWords, isWarning } from "../../mesh/console/format.ts";
import { eventObjects } from "../../mesh/console/json.ts";
import type { PeerId, TimelineItem } from "../../mesh/core/api.ts";
import { StoreError } from "../../mesh/core/store-error.ts";
import type { NodeEvent } from "../../mesh/node/events.ts";
import type { MeshNode } from "../../mesh/node/node.ts";
import { formatAddress } from "../../protocol/address.ts";
import type { Clock } from "../../protocol/clock.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { clientLimits } from "../../protocol/limits.ts";
import { peerConsoleLimits } from "../../protocol/limits.peer.ts";
import type { ServerMessage } from "../../protocol/messages.ts";
import { parseRoom } from "../../protocol/names.ts";
import { checkText } from "../../protocol/texts.ts";
import type { ChatBackend, ChatSession, RoomView, SendExtras } from "../../tui/backend.ts";
import type { Command } from "../../tui/commands/command.ts";
import type { Words } from "../../tui/language/words.ts";
import { fileCommands, type FileParties } from "../files/commands.ts";
import { doFileObject } from "../files/objects.ts";
import { FileTeller } from "../files/teller.ts";
import { peerCommands } from "./commands.ts";
import { fileParties } from "./file-parties.ts";
import { answerRequest } from "./requests.ts";
import { Presences } from "./presences.ts";
import { PutOut } from "./put-out.ts";
import { MeshRooms } from "./rooms.ts";
import { MeshSends } from "./sends.ts";

/** What a mesh backend needs. */
export interface MeshBackendOptions {
  readonly node: MeshNode;
  readonly clock: Clock;
  /** What we are called until the log says. */
  readonly nick: string;
  /** Whom a person asked to join, for "connecting to". */
  readonly seeking: string | undefined;
  /** A message counts as sent when another member holds it, and fails when that takes too long. */
  readonly untilHeld: boolean;
  readonly defaultPort: number;
  readonly words: Words;
}

/** See the head of this file. */
export class MeshBackend implements ChatBackend, ChatSession {
  readonly commands: readonly Command[];
  readonly lacks = ["away", "back", "whois"] as const;
  readonly #options: MeshBackendOptions;
  readonly #node: MeshNode;
  readonly #rooms: MeshRooms;
  readonly #sends: MeshSends;
  readonly #putOut: PutOut;
  readonly #listeners = new Set<ClientListener>();
  readonly #presences: Presences;
  /** What is told as soon as a peer has a name: whom we let in, or who let us in. */
  readonly #unnamed = new Map<PeerId, NodeEvent>();
  readonly #files: FileTeller;
  readonly #fileParties: FileParties;
  readonly #look = (peerId: PeerId) => this.#rooms.peer(peerId);
  #connection: ConnectionState = { state: "idle" };
  #count = 0;

  constructor(options: MeshBackendOptions) {
    const { node, clock, untilHeld, defaultPort, words } = options;
    this.#options = options;
    this.#node = node;
    const emit = (event: ClientEvent): void => this.#emit(event);
    this.#fileParties = fileParties(node, words);
    this.#sends = new MeshSends({
      clock,
      untilHeld,
      holding: (hash) => node.core.holding(hash),
      emit,
      notHeld: words.peers.notHeld,
    });
    this.#rooms = new MeshRooms(node, options.nick, words.peers, (hash) => this.#sends.idOf(hash));
    this.#putOut = new PutOut({
      node,
      words: words.peers,
      nameOf: (peer) => this.#rooms.nameOf(peer),
      unheld: () => this.#sends.unheld,
      warn: (lines) => this.#warn(lines),
    });
    this.#presences = new Presences({
      self: node.self,
      peer: this.#look,
      everywhere: (make) => {
        for (const room of this.#rooms.open.keys()) this.#receive(make(room));
      },
      named: (peerId) => this.#tellUnnamed(peerId),
      removed: ({ peerId }, name, by) => {
        this.#warn([words.peers.removed(name, this.#rooms.nameOf(by))]);
        this.#unnamed.delete(peerId);
      },
    });
    this.#files = new FileTeller({ words, nameOf: (peer) => this.#fileParties.nameOf(peer), emit });
    this.commands = [
      ...peerCommands(node, defaultPort, () => this.#putOut.line),
      ...fileCommands(this.#fileParties),
    ];
  }

  // ChatBackend

  get session(): ChatSession {
    return this;
  }

  get connection(): ConnectionState {
    return this.#connection;
  }

  /** Why nothing that is written here reaches anybody, in few words. */
  get outage(): string | undefined {
    return this.#putOut.isOut ? this.#options.words.peers.out : undefined;
  }

  /** How somebody else comes in: lines with a fresh invite; for a device that may let nobody in, why. */
  wayIn(): readonly string[] {
    const { line } = this.#putOut;
    const { letIn } = this.#options.words.peers;
    return line === undefined ? [letIn, `rtchat peer '${this.#node.invite()}'`] : [line];
  }

  on(listener: ClientListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  doObject(object: unknown): Taken | undefined {
    return doFileObject(this.#fileParties, object);
  }

  connect(): void {
    const { seeking } = this.#options;
    const [linked] = this.#node.core.links();
    if (linked !== undefined || seeking === undefined) this.#online(linked);
    else this.#setConnection({ state: "connecting", address: seeking, attempt: 1 });
  }

  retryNow(): void {
    this.#node.retry();
  }

  changeNick(nick: string, done?: AnswerHandler): void {
    this.request({ type: "nick", nick }, done);
  }

  close(reason = ""): void {
    this.#setConnection({ state: "closed", code: "closed", message: reason });
  }

  /** Says lines of information. */
  tell(lines: readonly string[]): void {
    this.#emit({ kind: "told", lines, warning: false });
  }

  // ChatSession

  get nick(): string {
    return this.#rooms.nameOf(this.#node.self);
  }

  /** Writing is always possible: what cannot be sent now is sent later. */
  get online(): boolean {
    return this.#connection.state === "online";
  }

  /** Between peers nobody is away but who is not there. */
  get away(): undefined {
    return undefined;
  }

  get rooms(): ReadonlyMap<string, RoomView> {
    return this.#rooms.open;
  }

  get unacknowledged(): number {
    return this.#sends.pending;
  }

  join(name: string, history: number = clientLimits.historyDefault): RoomView {
    const room = parseRoom(name);
    const joined = this.#joined(room, history);
    if (joined !== undefined) queueMicrotask(() => this.#receive(joined));
    return this.#rooms.open.get(room) ?? this.join(room, history);
  }

  #joined(room: string, history: number): ServerMessage | undefined {
    try {
      return this.#rooms.join(room, history);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#warn([error.message]);
      return this.#rooms.join(room, 0);
    }
  }

  leave(name: string): boolean {
    const room = parseRoom(name);
    if (!this.#rooms.open.delete(room)) return false;
    this.#receive({ type: "left", room });
    return true;
  }

  send(target: string, text: string, id: string = this.#newId(), extras?: SendExtras): Taken {
    const kind = extras?.re?.kind;
    // Without a word for it in the mesh's log an edit would be said as something new.
    if (kind === "edit" || kind === "delete") {
      return { ok: false, code: "as-said", message: this.#options.words.peers.noEdits };
    }
    if (this.#putOut.isOut) {
      return { ok: false, code: "removed-member", message: this.#options.words.peers.reachesNobody };
    }
    try {
      checkText(text);
      const place = this.#rooms.placeOf(target);
      const written = this.#sends.taken(id, "room" in place ? place.room : target, text);
      const published = this.#node.publish(
        "room" in place
          ? { kind: "chat", room: place.room, text }
          : { kind: "direct", to: place.direct, text },
        written,
      );
      if (published.ok) return { ok: true, id };
      this.#sends.dropped(id);
      return { ok: false, code: published.code, message: published.message };
    } catch (error) {
      if (error instanceof ProtocolError) return { ok: false, code: error.code, message: error.message };
      throw error;
    }
  }

  request(request: PlainRequest, done?: AnswerHandler): Taken {
    const id = request.id ?? this.#newId();
    queueMicrotask(() => {
      const answer = this.#answer(request, id);
      if ("type" in answer) {
        this.#receive(answer);
        done?.({ ok: true, message: answer });
      } else done?.({ ...answer, id });
    });
    return { ok: true, id };
  }

  // What the mesh tells

  /** Something happened at the node. */
  hear(event: NodeEvent): void {
    for (const object of eventObjects(event, this.#look))
      this.#emit({ kind: "unknown", object: { ...object } });
    switch (event.type) {
      case "inserted":
        for (const { item, earlier } of event.insertions) this.#inserted(item, earlier);
        return;
      case "holdings":
        return this.#sends.holdingsChanged();
      case "members":
        this.#putOut.look();
        return this.#presences.changed(event.peerIds);
      case "shut-out":
        return this.#putOut.said(event.peerId);
      case "linked":
        this.#putOut.taken();
        if (this.#connection.state !== "idle") this.#online(event.peerId);
        return;
      case "unlinked":
        // Who is gone is told as having left; /peers and /why tell the rest.
        return;
      case "admitted":
        return this.#tellWhenNamed(event.peerId, event);
      case "mesh":
        this.#putOut.taken();
        if (event.how === "joined") this.#startAnew();
        if (event.by === undefined) break;
        return this.#tellWhenNamed(event.by, event);
      case "transfer":
        this.#files.hear(event.transfer);
        return;
      case "dial-failed":
        if (this.#connection.state === "connecting" || this.#connection.state === "waiting") {
          return this.#waiting(event);
        }
        break;
      default:
    }
    this.#tellEvent(event);
  }

  #tellEvent(event: NodeEvent): void {
    const lines = eventLines(event, this.#look, this.#options.words.peers);
    if (lines.length > 0) this.#emit({ kind: "told", lines, warning: isWarning(event) });
  }

  /** A name follows with the log; somebody who has none is told of after a while all the same. */
  #tellWhenNamed(peerId: PeerId, event: NodeEvent): void {
    if (this.#look(peerId)?.nick !== undefined) return this.#tellEvent(event);
    this.#unnamed.set(peerId, event);
    this.#options.clock.after(peerConsoleLimits.guestNameMs, () => this.#tellUnnamed(peerId));
  }

  #warn(lines: readonly string[]): void {
    this.#emit({ kind: "told", lines, warning: true });
  }

  #tellUnnamed(peerId: PeerId): void {
    const event = this.#unnamed.get(peerId);
    if (event === undefined) return;
    this.#unnamed.delete(peerId);
    this.#tellEvent(event);
  }

  #emit(event: ClientEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #receive(message: ServerMessage): void {
    this.#emit({ kind: "received", message, rejoined: false });
  }

  #setConnection(connection: ConnectionState): void {
    this.#connection = connection;
    this.#emit({ kind: "connection", connection });
  }

  #online(peerId: PeerId | undefined): void {
    if (this.#connection.state === "online" || this.#connection.state === "closed") return;
    const address = peerId === undefined ? "" : this.#rooms.nameOf(peerId);
    const { nick } = this;
    const { words } = this.#options;
    this.#setConnection({
      state: "online",
      address,
      server: words.peers.mesh,
      nick,
      first: true,
      resumed: false,
    });
  }

  #waiting({ address, failure }: Extract<NodeEvent, { type: "dial-failed" }>): void {
    const retryInMs = peerConsoleLimits.retryShownMs;
    const reason = failureWords(failure, this.#options.words.peers);
    const { code } = failure;
    this.#setConnection({
      state: "waiting",
      address: formatAddress(address),
      attempt: 1,
      retryInMs,
      reason,
      code,
    });
  }

  #inserted(item: TimelineItem, isEarlier: boolean): void {
    this.#sends.inserted(item.hash, item.at);
    const seq = this.#rooms.nextSeq(item.place);
    if (seq === undefined) return;
    const earlier = isEarlier ? { earlier: true } : {};
    for (const message of this.#rooms.message(item, seq)) this.#receive({ ...message, ...earlier });
    if (item.kind === "topic" && "room" in item.place) {
      const { text, at, author } = item;
      this.#receive({ type: "topic", room: item.place.room, text, by: this.#rooms.nameOf(author), at });
    }
  }

  /** We are in another mesh: what the screen shows of the former one has no place in it. */
  #startAnew(): void {
    this.#presences.forget();
    for (const room of this.#rooms.restart()) {
      this.#emit({ kind: "gap", gap: { room, after: undefined, before: undefined } });
    }
  }

  #newId(): string {
    this.#count += 1;
    return `${this.#node.instance}-${this.#count}`;
  }

  #answer(request: PlainRequest, id: string): ServerMessage | Failure {
    try {
      return answerRequest({ node: this.#node, rooms: this.#rooms }, request, id);
    } catch (error) {
      if (error instanceof ProtocolError) return { ok: false, code: error.code, message: error.message };
      if (error instanceof StoreError) return { ok: false, code: "store-failed", message: error.message };
      throw error;
    }
  }
}
