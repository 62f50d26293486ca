/**
 * A client of a server whose conversations may leave the server: `ChatBackend` over a `Client`, with direct paths.
 *
 * Everything goes to the client but what is written to somebody with a direct path; everything the client tells goes on
 * but introductions and relayed frames. So screens, lines, pipes and JSON mode know nothing of it.
 */
import type { AnswerHandler } from "../../../client/answers.ts";
import type { Client } from "../../../client/client.ts";
import type { ClientEvent, ClientListener, ConnectionState } from "../../../client/events.ts";
import type { Taken } from "../../../client/sender.ts";
import type { PlainRequest } from "../../../client/session.ts";
import type { Clock } from "../../../protocol/clock.ts";
import { directLimits } from "../../../protocol/limits.peer.ts";
import type { Position } from "../../../protocol/messages.ts";
import { parseNick } from "../../../protocol/names.ts";
import type { ChatBackend, ChatSession, RoomView, SendExtras } from "../../../tui/backend.ts";
import type { Command } from "../../../tui/commands/command.ts";
import type { Words } from "../../../tui/language/words.ts";
import { fileCommands } from "../../files/commands.ts";
import { doFileObject } from "../../files/objects.ts";
import { FileTeller } from "../../files/teller.ts";
import { directCommands } from "./commands.ts";
import { DirectFiles } from "./files.ts";
import type { DirectParts } from "./parts.ts";
import { DirectPaths } from "./paths.ts";

/** What it needs. */
export interface DirectBackendOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly words: Words;
  /** `auto`: directly where that works; `relay`: this machine's addresses are told to nobody; `off`: not at all. */
  readonly mode: "auto" | "relay" | "off";
  readonly newId: () => string;
  readonly load: () => Promise<DirectParts>;
  /** Commands beside those of direct paths. */
  readonly commands?: readonly Command[];
}

/** See the head of this file. */
export class DirectBackend implements ChatBackend, ChatSession {
  readonly commands: readonly Command[];
  readonly #client: Client;
  readonly #options: DirectBackendOptions;
  readonly #paths: DirectPaths;
  readonly #files: DirectFiles;
  readonly #fileTeller: FileTeller;
  readonly #listeners = new Set<ClientListener>();
  #cluster = "";
  #address = "";
  #ending: Promise<void> | undefined;
  /** Number of the last message of the inbox that was shown, and of those between it and the next. */
  #inboxSeq = 0;
  #between = 0;

  constructor(options: DirectBackendOptions) {
    const { client, clock, words, mode, load } = options;
    this.#options = options;
    this.#client = client;
    const emit = (event: ClientEvent): void => this.#emit(event);
    this.#paths = new DirectPaths({
      session: client.session,
      clock,
      words,
      isHidden: mode === "relay",
      load,
      scopes: () => [this.#cluster, `at ${this.#address}`],
      nextSeq: () => this.#nextSeq(),
      emit,
      transfer: (pair, nick, view) => {
        const numbered = this.#files.hear(pair, nick, view);
        this.#fileTeller.hear(numbered);
        const object = this.#paths.parts?.transferObject(numbered);
        if (object !== undefined) emit({ kind: "unknown", object: { ...object } });
      },
    });
    this.#files = new DirectFiles(this.#paths, words, () => this.nick);
    this.#fileTeller = new FileTeller({ words, nameOf: (peer) => this.#files.nameOf(peer), emit });
    const own = [...directCommands(this.#paths, mode !== "off"), ...fileCommands(this.#files)];
    this.commands = [...own, ...(options.commands ?? [])];
    client.on((event) => this.#hear(event));
  }

  // ChatBackend

  get session(): ChatSession {
    return this;
  }

  get connection(): ConnectionState {
    return this.#client.connection;
  }

  on(listener: ClientListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  doObject(object: unknown): Taken | undefined {
    return doFileObject(this.#files, object);
  }

  connect(): void {
    this.#client.connect();
  }

  retryNow(): void {
    this.#client.retryNow();
  }

  changeNick(nick: string, done?: AnswerHandler): void {
    this.#client.changeNick(nick, done);
  }

  /** Ends direct paths, whose others are told, then the session. */
  close(reason?: string): void {
    this.#ending = this.#paths.stop();
    this.#client.close(reason);
  }

  /** Resolves when the last link is closed, after {@link close}. */
  async ended(): Promise<void> {
    await this.#ending;
  }

  /** How somebody is written to, in words for a title; undefined: through the server. */
  pathTo(name: string): string | undefined {
    if (!name.startsWith("@")) return undefined;
    const partner = this.#paths.find(name.slice(1));
    const { direct } = this.#options.words;
    if (partner?.isOver === true) return direct.titleOver;
    if (partner?.path === undefined) return undefined;
    const { path, isVerified } = partner.path;
    if (path === undefined) return direct.titleWaiting;
    const way = path.address === undefined ? direct.titleRelayed : direct.titleDirect(path.address);
    // First what must not be cut off.
    return isVerified ? way : `${direct.titleUnverified}, ${way}`;
  }

  // ChatSession

  get nick(): string {
    return this.#client.session.nick;
  }

  get online(): boolean {
    return this.#client.session.online;
  }

  get away(): string | undefined {
    return this.#client.session.away;
  }

  get rooms(): ReadonlyMap<string, RoomView> {
    return this.#client.session.rooms;
  }

  get unacknowledged(): number {
    return this.#client.session.unacknowledged + this.#paths.pending;
  }

  markRead(room: string, seq: number, leaving?: boolean): void {
    this.#client.session.markRead(room, seq, leaving);
  }

  join(room: string, history?: number, since?: Position): RoomView {
    return this.#client.session.join(room, history, since);
  }

  leave(room: string): boolean {
    return this.#client.session.leave(room);
  }

  send(room: string, text: string, id?: string, extras?: SendExtras): Taken {
    if (room.startsWith("@")) {
      const asSaid = extras?.re === undefined ? undefined : this.#asSaid(room.slice(1), extras.re.seq);
      if (asSaid !== undefined) return { ok: false, code: "as-said", message: asSaid };
      const taken = this.#paths.send(room.slice(1), id ?? this.#options.newId(), text, extras);
      if (taken !== undefined) return taken;
    }
    return this.#client.session.send(room, text, id, extras);
  }

  /** Why nothing can be said about a message of a conversation; undefined if it can. */
  #asSaid(nick: string, seq: number): string | undefined {
    const { direct } = this.#options.words;
    const partner = this.#paths.find(nick);
    // Without a word for it in the mesh's log it would be said as something new.
    if (partner?.path !== undefined && !partner.isOver) return direct.asSaid(partner.nick);
    // A number with a fraction is of a message that the server never saw.
    return Number.isInteger(seq) ? undefined : direct.saidDirectly;
  }

  request(request: PlainRequest, done?: AnswerHandler): Taken {
    if (request.type === "introduce") return this.#introduce(request, done);
    if (request.type !== "history" || request.before === undefined) {
      return this.#client.session.request(request, done);
    }
    // A message of a direct path stands between two of the server's.
    return this.#client.session.request({ ...request, before: Math.ceil(request.before) }, done);
  }

  /** A program asks for a path, or ends one: keys and addresses are ours to give. */
  #introduce(request: Extract<PlainRequest, { type: "introduce" }>, done: AnswerHandler = () => {}): Taken {
    const id = request.id ?? this.#options.newId();
    const nick = parseNick(request.to ?? "");
    const { words, mode } = this.#options;
    if (mode === "off") return { ok: false, code: "unknown-type", message: words.direct.switchedOff };
    if (request.end !== true) {
      void this.#paths.ask(nick, (answer) => done(answer.ok ? answer : { ...answer, id }));
      return { ok: true, id };
    }
    const partner = this.#paths.find(nick);
    if (partner === undefined || !this.#paths.off(partner)) {
      return { ok: false, code: "not-introduced", message: words.direct.notOn(nick) };
    }
    queueMicrotask(() =>
      done({ ok: true, message: { type: "introduce", nick, pair: partner.pair ?? "", id } }),
    );
    return { ok: true, id };
  }

  #nextSeq(): number {
    this.#between += 1;
    return this.#inboxSeq + this.#between / directLimits.betweenMost;
  }

  #emit(event: ClientEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #hear(event: ClientEvent): void {
    if (event.kind === "connection" && event.connection.state === "online") {
      this.#address = event.connection.address;
      this.#paths.online(event.connection.resumed);
    }
    if (event.kind !== "received") {
      this.#emit(event);
      return;
    }
    const { message } = event;
    switch (message.type) {
      case "introduction":
        if (this.#options.mode !== "off") this.#paths.introduced(message);
        return;
      case "relay":
        this.#paths.relayed(message);
        return;
      case "introduce":
        return;
      case "error":
        if (this.#paths.relayRefused(message.id, message.code, message.message)) return;
        break;
      case "welcome":
        this.#cluster = message.cluster;
        this.#shown(message.inbox.seq);
        break;
      case "presence":
        if (message.state === "rename" && message.to !== undefined)
          this.#paths.renamed(message.nick, message.to);
        break;
      case "nick":
        this.#paths.sayAgain();
        break;
      case "message":
        if (message.room.startsWith("@")) this.#shown(message.seq);
        break;
      default:
    }
    this.#emit(event);
  }

  #shown(seq: number): void {
    if (seq <= this.#inboxSeq) return;
    this.#inboxSeq = seq;
    this.#between = 0;
  }
}
