/**
 * Chat in a pipe: each line of stdin is a message, and the exit code tells whether every one is safe.
 *
 *     echo "backup done" | rtchat client --nick bot && rm -r staging
 *
 * Lines are sent in order and read only as fast as they are acknowledged; lines that ask for nothing (empty ones,
 * objects that are refused) are read in turns with everything else, so that no flood keeps the run from ending. Without
 * `follow` the run ends when stdin has ended and everything has its outcome; with it, the run goes on printing what
 * happens until it is stopped. With `json` every event goes to stdout as one object of the protocol a line, and stdin
 * may carry protocol objects.
 *
 * The promise: the result is `ok` only if every message was acknowledged and every request answered. Whatever else
 * happens is told in one line on stderr.
 */
import type { ClientEvent, ConnectionState } from "../../client/events.ts";
import type { Clock, Timer } from "../../protocol/clock.ts";
import { pipeLimits } from "../../protocol/limits.client.ts";
import { isErrorCode } from "../../protocol/errors.ts";
import { clientLimits } from "../../protocol/limits.ts";
import { cleanOutgoing, jsonLine } from "../../protocol/sanitize.ts";
import type { Answer, ChatBackend } from "../backend.ts";
import { failureIn, reasonIn } from "../language/words.ts";
import type { Words } from "../language/words.ts";
import { splitText } from "../split.ts";
import { GivingWay } from "./giving-way.ts";
import { eventObjects } from "./json-events.ts";
import { RefusedObject, doObject } from "./objects.ts";
import { StdinLines } from "./stdin-lines.ts";
import type { StdinLine } from "./stdin-lines.ts";

export interface PipeOptions {
  readonly backend: ChatBackend;
  readonly words: Words;
  readonly clock: Clock;
  readonly room: string;
  /** Messages from before now that the join brings. */
  readonly history: number;
  readonly json: boolean;
  readonly follow: boolean;
  readonly input: AsyncIterable<Uint8Array>;
  /** One line for stdout, without its newline. */
  readonly print: (line: string) => void;
  /** One line for stderr. */
  readonly warn: (line: string) => void;
  /** With `follow` and without `json`: an event as lines. */
  readonly format: (event: ClientEvent) => readonly string[];
  /** All of stdin is one message, line breaks included. */
  readonly whole?: boolean;
  /** Another nick to try when one is taken; undefined to give up. */
  readonly otherNick?: () => string | undefined;
  /** Resolves when the run shall end early. */
  readonly stopped: Promise<unknown>;
}

export type PipeResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly message: string; readonly hint: string };

/** Runs until stdin has ended and everything is answered, or it is stopped, or it cannot succeed any more. */
export function runPipe(options: PipeOptions): Promise<PipeResult> {
  return new PipeRun(options).run();
}

class PipeRun {
  readonly #options: PipeOptions;
  readonly #result = Promise.withResolvers<PipeResult>();
  /** Wakes the reader of stdin when there is room for more. */
  #wake: (() => void) | undefined;
  #inputEnded = false;
  #ended = false;
  #failed = 0;
  /** Requests without their answer. */
  #asked = 0;
  /** The pieces that follow belong to an object that was refused. */
  #skipping = false;
  #deadline: Timer | undefined;
  #wasOnline = false;
  #reason = "";
  /** Somebody is there, who does not let us in. */
  #isThere = false;

  constructor(options: PipeOptions) {
    this.#options = options;
  }

  run(): Promise<PipeResult> {
    const { backend, room, history, stopped } = this.#options;
    backend.on((event) => this.#hear(event));
    backend.session.join(room, history);
    backend.connect();
    void stopped.then(() => this.#stop());
    void this.#read();
    return this.#result.promise;
  }

  /** All of stdin as one text, cut where nobody could mean it as a message any more. */
  async #readWhole(): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of this.#options.input) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > pipeLimits.wholeCharacters) {
        throw new RangeError(this.#options.words.pipeTooLong(pipeLimits.wholeCharacters));
      }
    }
    text = (text + decoder.decode()).replace(/[\r\n]+$/, "");
    // Whoever sends a message means one: that nothing is safe in the log must not look like success.
    if (cleanOutgoing(text).trim() === "") {
      this.#end({ ok: false, message: this.#options.words.pipeNothing, hint: "" });
    } else await this.#text(text);
  }

  async #readLines(): Promise<void> {
    const lines = new StdinLines(clientLimits.lineBytes);
    const turn = new GivingWay(this.#options.clock, pipeLimits.turnMs);
    for await (const chunk of this.#options.input) {
      for (const line of lines.push(chunk)) {
        // Usually it is done: what need not wait does not take its turn behind everything else.
        const later = this.#line(line);
        if (later !== undefined) await later;
        const turnOver = turn.due();
        if (turnOver !== undefined) await turnOver;
        if (this.#ended) return;
      }
    }
    for (const line of lines.end()) await this.#line(line);
  }

  async #read(): Promise<void> {
    try {
      await (this.#options.whole === true ? this.#readWhole() : this.#readLines());
    } catch (error) {
      this.#refuse("internal", error instanceof Error ? error.message : String(error));
    }
    this.#inputEnded = true;
    this.#look();
  }

  /** Takes one line; what it returns, if anything, resolves when the next may be read. */
  #line(line: StdinLine): Promise<void> | undefined {
    if (!line.continued) this.#skipping = false;
    if (this.#ended || this.#skipping) return undefined;
    if (!this.#options.json || line.continued || !/^\s*\{/.test(line.text)) return this.#text(line.text);
    if (line.complete) return this.#object(line.text);
    this.#skipping = true;
    this.#refuse("line-too-long", `an object over ${clientLimits.lineBytes} characters was not sent`);
    return undefined;
  }

  #text(line: string): Promise<void> | undefined {
    const clean = cleanOutgoing(line);
    if (clean.trim() === "") return undefined;
    const pieces = splitText(clean);
    const [only] = pieces;
    if (only === undefined || pieces.length > 1 || !this.#hasRoom) return this.#pieces(pieces);
    this.#send(only);
    return undefined;
  }

  async #pieces(pieces: readonly string[]): Promise<void> {
    for (const piece of pieces) {
      await this.#until(() => this.#hasRoom);
      if (this.#ended) return;
      this.#send(piece);
    }
  }

  #send(text: string): void {
    const taken = this.#options.backend.session.send(this.#options.room, text);
    if (!taken.ok) this.#refuse(taken.code, taken.message);
  }

  async #object(line: string): Promise<void> {
    // What asks about a room is meant for a room one is in, whatever the connection does at the moment.
    await this.#until(() => this.#settled && this.#hasRoom);
    if (this.#ended) return;
    try {
      const done = doObject(this.#options.backend, line, (answer) => this.#answered(answer));
      if (done === "asked") this.#asked += 1;
      if (done === "bye") this.#end(this.#verdict());
    } catch (error) {
      if (!(error instanceof RefusedObject)) throw error;
      this.#refuse(error.code, error.message, error.id);
    }
  }

  /** Fewer messages and requests are on their way than may be. */
  get #hasRoom(): boolean {
    return this.#options.backend.session.unacknowledged + this.#asked < pipeLimits.unacknowledged;
  }

  /** Connected, and in every room that is wanted. */
  get #settled(): boolean {
    const { session } = this.#options.backend;
    return session.online && [...session.rooms.values()].every(({ state }) => state === "joined");
  }

  /** Resolves when `ready`, or when the run has ended. */
  async #until(ready: () => boolean): Promise<void> {
    while (!this.#ended && !ready()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  #answered(answer: Answer): void {
    this.#asked -= 1;
    // A positive answer was an event already.
    if (!answer.ok) this.#refuse(answer.code, answer.message, answer.id);
    this.#wake?.();
    this.#look();
  }

  /** Something that was asked for will not be done. */
  #refuse(code: string, message: string, id?: string): void {
    this.#failed += 1;
    const named = id === undefined ? {} : { id };
    if (this.#options.json) this.#options.print(jsonLine({ type: "error", code, message, ...named }));
    else this.#options.warn(message);
  }

  #hear(event: ClientEvent): void {
    if (this.#ended) return;
    const { json, follow, print, warn, format, words } = this.#options;
    if (json) for (const object of eventObjects(event)) print(jsonLine(object));
    else if (follow) for (const line of format(event)) print(line);
    switch (event.kind) {
      case "connection":
        this.#connection(event.connection);
        break;
      case "sent":
        if (!event.outcome.ok) {
          this.#failed += 1;
          if (!json) warn(words.notSent(event.outcome.room, "", failureIn(words, event.outcome)));
        }
        break;
      case "received":
        if (event.message.type === "error") {
          this.#failed += 1;
          if (!json) warn(event.message.message);
        } else if (event.message.type === "notice" && event.message.code === "holding") this.#held();
        break;
      default:
    }
    this.#wake?.();
    this.#look();
  }

  #connection(connection: ConnectionState): void {
    const { words, follow, clock, warn } = this.#options;
    switch (connection.state) {
      case "online":
        this.#wasOnline = true;
        this.#reason = "";
        this.#deadline?.stop();
        this.#deadline = undefined;
        return;
      case "connecting": {
        const ms = this.#wasOnline ? pipeLimits.offlineMs : pipeLimits.firstConnectMs;
        if (!follow) this.#deadline ??= clock.after(ms, () => this.#giveUp(connection.address, ms));
        return;
      }
      case "waiting": {
        const { address, retryInMs, code } = connection;
        const reason = reasonIn(words, connection, this.#options.backend.session.nick);
        if (code === "nick-taken") {
          this.#nickHeld(reason);
          return;
        }
        // Once an outage, not once an attempt: a log of a bot must not fill while a server is down.
        if (reason !== this.#reason) {
          const seconds = words.seconds(String(Math.ceil(retryInMs / 1_000)));
          warn(words.waiting(address, reason, seconds));
        }
        this.#reason = reason;
        this.#isThere = isErrorCode(code);
        return;
      }
      case "needs-nick": {
        const other = this.#options.otherNick?.();
        if (other === undefined) this.#end({ ok: false, message: connection.message, hint: words.pipeNick });
        else this.#options.backend.changeNick(other);
        return;
      }
      case "closed":
        if (connection.code !== "closed") this.#end({ ok: false, message: connection.message, hint: "" });
        break;
      case "idle":
    }
  }

  /** A balancer keeps our place until a server is there again: as long as once we were connected, that is waited for. */
  #held(): void {
    const { backend, clock, follow, words, warn } = this.#options;
    const { connection } = backend;
    if (connection.state !== "connecting") return;
    const { address } = connection;
    this.#reason = words.held;
    this.#isThere = true;
    warn(words.waitingHeld(address));
    if (follow) return;
    this.#deadline?.stop();
    this.#deadline = clock.after(pipeLimits.offlineMs, () => this.#giveUp(address, pipeLimits.offlineMs));
  }

  /** The server is there, and the nick may be: of a run before this one that crashed. How often is up to the client. */
  #nickHeld(reason: string): void {
    const { words, backend, otherNick, warn } = this.#options;
    this.#deadline?.stop();
    this.#deadline = undefined;
    const other = otherNick?.();
    if (other !== undefined) backend.changeNick(other);
    else if (reason !== this.#reason) warn(words.nickHeld(reason));
    this.#reason = reason;
  }

  #giveUp(address: string, ms: number): void {
    const { words } = this.#options;
    const seconds = words.seconds(String(ms / 1_000));
    const reason = this.#reason === "" ? words.noAnswer(seconds) : this.#reason;
    if (this.#wasOnline) {
      this.#end({ ok: false, message: words.pipeLost(address, reason, seconds), hint: words.pipeHint });
    } else {
      const hint = this.#isThere ? "" : words.startOne;
      this.#end({ ok: false, message: words.pipeOffline(address, reason), hint });
    }
  }

  #verdict(): PipeResult {
    const { words, backend } = this.#options;
    const { unacknowledged } = backend.session;
    if (unacknowledged > 0) {
      return { ok: false, message: words.pipeUnacknowledged(unacknowledged), hint: words.pipeHint };
    }
    if (this.#failed > 0) return { ok: false, message: words.pipeRefused(this.#failed), hint: "" };
    return { ok: true };
  }

  #stop(): void {
    this.#end(this.#verdict());
  }

  /** Ends the run if nothing is left to wait for. */
  #look(): void {
    const { backend, follow, json } = this.#options;
    if (this.#ended || !this.#inputEnded || follow) return;
    if (backend.session.unacknowledged > 0 || this.#asked > 0) return;
    // A program that reads events gets at least those of the rooms it asked for.
    if (json && !this.#settled) return;
    this.#end(this.#verdict());
  }

  #end(result: PipeResult): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deadline?.stop();
    this.#wake?.();
    this.#options.backend.close();
    this.#result.resolve(result);
  }
}
