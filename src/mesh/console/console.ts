/**
 * Line and JSON mode of a peer: typed lines in, lines out, over a {@link MeshNode}.
 *
 * No terminal is touched here: lines go to `print` and problems to `complain`, both sanitised already. What this side
 * wrote is followed until somebody else holds it, which is what lets a pipe end with success.
 */
import { formatPeerId, type PeerId } from "../../identity/peer-id.ts";
import { AddressError, parseAddress } from "../../protocol/address.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { peerConsoleLimits } from "../../protocol/limits.peer.ts";
import { parseNick, parseRoom } from "../../protocol/names.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";
import type { Draft, EntryHash, Holding, Place, TimelineItem } from "../core/api.ts";
import type { NodeEvent } from "../node/events.ts";
import type { MeshNode } from "../node/node.ts";
import type { PeerView } from "../node/views.ts";
import { commandRows, parseTyped } from "./commands.ts";
import { eventLines, messageLines, peerLines, whyLines, type Look } from "./format.ts";
import { eventObjects, jsonInputSchema, messageObject, peerObject, type JsonInput } from "./json.ts";
import { findPeer, plainName } from "./names.ts";

/** What a console needs. */
export interface ConsoleOptions {
  readonly node: MeshNode;
  readonly json: boolean;
  readonly room: string;
  readonly defaultPort: number;
  print(line: string): void;
  complain(line: string): void;
  /** The person asked to leave. */
  quit(): void;
}

/** See above. */
export class PeerConsole {
  readonly #options: ConsoleOptions;
  readonly #node: MeshNode;
  readonly #look: Look;
  /** Own entries and how many held them when we last told. */
  readonly #own = new Map<EntryHash, number>();
  #target: Place;
  /** Members as last looked up; forgotten when anything about them may have changed. */
  #views: Map<PeerId, PeerView> | undefined;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.#node = options.node;
    this.#target = { room: parseRoom(options.room) };
    this.#look = (peerId) => {
      this.#views ??= new Map(this.#node.peers().map((peer) => [peer.peerId, peer]));
      return this.#views.get(peerId);
    };
  }

  /** Shows what was said here before. */
  start(): void {
    const items = this.#node.core.timeline(this.#target, peerConsoleLimits.historyAtStart);
    if (items.length > 0)
      this.event({
        type: "inserted",
        insertions: items.map((item, index) => ({ item, index, earlier: false })),
      });
  }

  /** Own messages that nobody else is known to hold. */
  get unheld(): number {
    let count = this.#node.isWaitingToWrite ? 1 : 0;
    for (const held of this.#own.values()) if (held < 2) count += 1;
    return count;
  }

  /** Something happened. */
  event(event: NodeEvent): void {
    if (event.type !== "holdings") this.#views = undefined;
    if (event.type === "inserted") this.#follow(event.insertions.map(({ item }) => item));
    if (event.type === "holdings") this.#holdings();
    if (this.#options.json) {
      for (const object of eventObjects(event, this.#look)) this.#object(object);
    } else if (event.type === "inserted") {
      for (const { item } of event.insertions) this.#show(item);
    } else for (const line of eventLines(event, this.#look)) this.#options.print(line);
  }

  /** One line was typed, or came from a pipe. */
  input(line: string): void {
    if (this.#options.json && line.trimStart().startsWith("{")) {
      this.#jsonInput(line);
      return;
    }
    const typed = parseTyped(line);
    if (typed.kind === "mistake") this.#problem(typed.message);
    else if (typed.kind === "text") this.#say("chat", typed.text);
    else if (typed.kind === "command")
      this.#guarded(() => this.#command(typed.name, typed.words, typed.rest));
  }

  #command(name: string, words: readonly string[], rest: string): void {
    const [first = ""] = words;
    switch (name) {
      case "join":
        this.#target = { room: parseRoom(first.replace(/^#/, "")) };
        return this.#info(`you now write to ${this.#target.room}`);
      case "msg":
        return this.#direct(first, rest.slice(first.length).trim());
      case "me":
        return this.#say("action", rest);
      case "nick":
        return this.#write({ kind: "profile", nick: parseNick(first) });
      case "topic":
        return this.#topic(rest);
      case "rooms":
        return this.#list(
          this.#node.core
            .rooms()
            .map(
              ({ room, messages, topic }) =>
                `${room} (${messages})${topic === undefined ? "" : `: ${topic}`}`,
            ),
        );
      case "history":
        return this.#history(this.#target, Number(first) || 20);
      case "peers":
        return this.#list(peerLines(this.#node.peers(), this.#look));
      case "why":
        return this.#why(first);
      case "verify":
        return this.#verify(first, words[1]);
      case "invite":
        return this.#list([this.#node.invite()]);
      case "lock":
      case "unlock":
        this.#node.setInviteOnly(name === "lock");
        return this.#info(
          name === "lock" ? "only invites let somebody in now" : "whoever knows an address may come in now",
        );
      case "remove":
        return this.#remove(first);
      case "connect":
        this.#node.connect(parseAddress(first, { port: this.#options.defaultPort }));
        return;
      case "id":
        return this.#list([formatPeerId(this.#node.self)]);
      case "help":
        return this.#list(commandRows.map(({ usage, summary }) => `/${usage.padEnd(20)} ${summary}`));
      case "quit":
        return this.#options.quit();
    }
  }

  #jsonInput(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return this.#problem("the line is not a JSON object");
    }
    const parsed = jsonInputSchema.safeParse(value);
    if (!parsed.success)
      return this.#problem(`the object was not understood: ${parsed.error.issues[0]?.message ?? ""}`);
    this.#guarded(() => this.#request(parsed.data));
  }

  #request(request: JsonInput): void {
    switch (request.type) {
      case "send":
        if (request.room.startsWith("@")) return this.#direct(request.room, request.text);
        return this.#write({ kind: "chat", room: request.room, text: request.text });
      case "join":
        this.#target = { room: parseRoom(request.room) };
        return;
      case "topic":
        return this.#write({ kind: "topic", room: request.room, text: request.text });
      case "nick":
        return this.#write({ kind: "profile", nick: request.nick });
      case "history":
        return this.#history({ room: parseRoom(request.room) }, request.limit);
      case "peers":
        return this.#object({ type: "peers", peers: this.#node.peers().map(peerObject) });
      case "invite":
        return this.#object({ type: "invite", invite: this.#node.invite() });
      case "bye":
        return this.#options.quit();
    }
  }

  #say(kind: "chat" | "action", text: string): void {
    const target = this.#target;
    if ("direct" in target) this.#write({ kind: "direct", to: target.direct, text });
    else this.#write({ kind, room: target.room, text });
  }

  #direct(name: string, text: string): void {
    const peer = this.#peer(name);
    if (peer === undefined) return;
    if (text !== "") return this.#write({ kind: "direct", to: peer.peerId, text });
    this.#target = { direct: peer.peerId };
    this.#info(`you now write to ${plainName(peer)} alone`);
  }

  #topic(text: string): void {
    const target = this.#target;
    if ("direct" in target) return this.#problem("a conversation has no topic; /join a room first");
    if (text !== "") return this.#write({ kind: "topic", room: target.room, text: text === "-" ? "" : text });
    const topic = this.#node.core.rooms().find(({ room }) => room === target.room)?.topic;
    this.#info(topic === undefined ? `${target.room} has no topic` : `topic of ${target.room}: ${topic}`);
  }

  #history(place: Place, count: number): void {
    const items = this.#node.core.timeline(place, Math.min(1_000, Math.max(1, count)));
    if (this.#options.json)
      return this.#object({
        type: "history",
        messages: items.map((item) => messageObject(item, this.#look)),
      });
    for (const item of items)
      this.#show(item, item.author === this.#node.self ? heldWords(this.#node.core.holding(item.hash)) : "");
    if (items.length === 0) this.#info("nothing was written here yet");
  }

  #why(name: string): void {
    const peer = name === "" ? undefined : this.#peer(name);
    if (name !== "" && peer === undefined) return;
    this.#list(whyLines(this.#node.why(peer?.peerId)));
  }

  #verify(name: string, answer: string | undefined): void {
    const peer = this.#peer(name);
    if (peer === undefined) return;
    if (peer.presence === "self") return this.#problem("that is you");
    if (answer?.toLowerCase() === "yes") {
      this.#node.markVerified(peer.peerId);
      return this.#info(`${plainName(peer)} is verified on this device`);
    }
    const words = this.#node.words(peer.peerId);
    this.#list([
      `compare these words with ${plainName(peer)}, who sees the same with /verify and your name:`,
      `  ${words.slice(0, 6).join(" ")}`,
      `  ${words.slice(6).join(" ")}`,
      `if all twelve are equal, type /verify ${sanitizeLine(name)} yes; if not, somebody is between you`,
    ]);
  }

  #remove(name: string): void {
    const peer = this.#peer(name);
    if (peer === undefined) return;
    const removed = this.#node.remove(peer.peerId);
    if (!removed.ok) return this.#problem(removed.message);
    this.#node.setInviteOnly(true);
    this.#info(`${plainName(peer)} is out for good; only invites let somebody in now (/unlock changes that)`);
  }

  #peer(name: string): PeerView | undefined {
    const found = findPeer(name, this.#node.peers());
    if (!("problem" in found)) return found;
    this.#problem(found.problem);
    return undefined;
  }

  #write(draft: Draft): void {
    const written = this.#node.publish(draft);
    if (!written.ok) this.#problem(`not sent: ${written.message}`);
  }

  #follow(items: readonly TimelineItem[]): void {
    for (const { author, hash } of items) if (author === this.#node.self) this.#own.set(hash, 1);
    this.#holdings();
  }

  #holdings(): void {
    for (const [hash, told] of this.#own) {
      const holding = this.#node.core.holding(hash);
      if (holding === undefined || holding.held <= told) continue;
      this.#own.set(hash, holding.held);
      if (this.#options.json) this.#object({ type: "ack", id: hash, held: holding.held, of: holding.of });
      if (holding.held === holding.of) this.#own.delete(hash);
    }
  }

  #show(item: TimelineItem, note = ""): void {
    const current = "room" in this.#target ? this.#target.room : "";
    const [first = "", ...rest] = messageLines(item, current, this.#node.self, this.#look);
    this.#options.print(`${first}${note}`);
    for (const line of rest) this.#options.print(line);
  }

  /** Names and addresses are checked where they are used; what they throw is for the person. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof ProtocolError || error instanceof AddressError)) throw error;
      this.#problem(error.message);
    }
  }

  #problem(message: string): void {
    if (this.#options.json) this.#object({ type: "error", code: "bad-request", message });
    else this.#options.complain(`! ${sanitizeLine(message)}`);
  }

  #info(message: string): void {
    if (this.#options.json) this.#object({ type: "info", message });
    else this.#options.print(`· ${sanitizeLine(message)}`);
  }

  #list(lines: readonly string[]): void {
    if (this.#options.json) this.#object({ type: "info", message: lines.join("\n") });
    else for (const line of lines) this.#options.print(sanitizeLine(line));
  }

  #object(object: object): void {
    this.#options.print(jsonLine(object));
  }
}

function heldWords(holding: Holding | undefined): string {
  return holding === undefined ? "" : ` [${holding.held} of ${holding.of} have it]`;
}

/** JSON in one line, with what a terminal or a line reader would obey escaped. */
function jsonLine(object: object): string {
  return JSON.stringify(object).replaceAll(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
