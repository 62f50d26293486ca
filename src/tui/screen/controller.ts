/**
 * What keys do to the screen: between the keyboard, the line being typed, the model and the view.
 *
 * Makes pictures on demand and tells whoever draws when there is a new one: at once after a key, and at most every
 * `frameMs` for what others do, so that a busy room does not make typing slow.
 */
import type { Clock, Timer } from "../../protocol/clock.ts";
import { screenLimits } from "../../protocol/limits.client.ts";
import { cleanOutgoing } from "../../protocol/sanitize.ts";
import type { ChatBackend } from "../backend.ts";
import type { Theme } from "../colours.ts";
import type { CommandContext } from "../commands/command.ts";
import { parseTyped } from "../commands/parse.ts";
import { commandsOf, runCommand } from "../commands/table.ts";
import { complete } from "../completion.ts";
import { findEmoji } from "../emoji.ts";
import type { Completion } from "../completion.ts";
import type { Action } from "../input/bindings.ts";
import { Composer } from "../input/composer.ts";
import type { KeyEvent } from "../input/keys.ts";
import { PasteQuestion } from "../input/pasted.ts";
import type { Words } from "../language/words.ts";
import { ChatModel } from "../model/chat-model.ts";
import type { KeptHabits } from "../model/habits.ts";
import type { Alert } from "../model/options.ts";
import type { RoomModel } from "../model/room-model.ts";
import { splitText } from "../split.ts";
import { contextOf } from "./context.ts";
import { bareScreen } from "./bare.ts";
import type { BareScreen } from "./bare.ts";
import { Joints, drawFrame, layOut } from "./frame.ts";
import type { Frame, FrameParts, ScreenState } from "./frame.ts";
import { ItemRows } from "./items.ts";
import { MemberPanel, RowMemo } from "./panels.ts";
import { Pace } from "./pace.ts";
import { RoomSwitch } from "./room-switch.ts";
import { Scroll } from "./scroll.ts";
import type { ScrollPlace } from "./scroll.ts";
import { Viewport } from "./viewport.ts";

export interface ControllerOptions {
  readonly backend: ChatBackend;
  readonly words: Words;
  readonly clock: Clock;
  readonly room: string;
  readonly bindings: Readonly<Record<string, Action>>;
  readonly theme: Theme;
  readonly suggest: CommandContext["suggest"];
  readonly size: { readonly columns: number; readonly rows: number };
  readonly quit: () => void;
  /** Gives the terminal to the shell for a while. */
  readonly suspend: () => void;
  /** Something else wrote on the terminal: the next picture is painted whole. */
  readonly redraw: () => void;
  /** Brings a picture to the terminal. @returns the characters that took */
  readonly paint: (frame: Frame) => number;
  /** Brings lines there that the terminal breaks itself. */
  readonly paintBare: (screen: BareScreen) => void;
  /** Somebody spoke to this person while nobody looked. */
  readonly alert: (alert: Alert) => void;
  readonly timeZone?: string;
  readonly remembered?: (room: string, epoch: string) => number | undefined;
  /** What was kept of an earlier run. */
  readonly habits?: KeptHabits;
}

export class ScreenController {
  readonly model: ChatModel;
  readonly #options: ControllerOptions;
  readonly #composer: Composer;
  readonly #viewport: Viewport;
  readonly #parts: FrameParts;
  readonly #listeners = new Set<() => void>();
  #size: { readonly columns: number; readonly rows: number };
  readonly #scroll: Scroll;
  readonly #switch: RoomSwitch;
  #panels = true;
  /** Nothing is drawn but lines to copy: see bare.ts. */
  #isBare = false;
  readonly #paste = new PasteQuestion();
  #hint: string | undefined;
  /** The terminal has the focus, as far as it tells. */
  #focused = true;
  readonly #pace: Pace;
  #retryAt = 0;
  #retryTimer: Timer | undefined;
  #quitAsked = false;
  #membersVersion = 0;
  /** When `typing` may be told again (monotonic): at once after a line was sent. */
  #typingTold = 0;

  constructor(options: ControllerOptions) {
    const { backend, words, clock, room, remembered, habits } = options;
    this.#options = options;
    this.#size = options.size;
    this.#pace = new Pace(clock, () => this.#draw());
    this.model = new ChatModel(
      {
        backend,
        words,
        clock,
        changed: () => this.#pace.due(),
        alert: (alert) => this.#alert(alert),
        ...(remembered === undefined ? {} : { remembered }),
        ...(habits === undefined ? {} : { habits }),
      },
      room,
    );
    this.#composer = new Composer(this.model.active.name);
    this.#viewport = new Viewport(
      new ItemRows(words, options.theme, (text, me) => this.model.people.callsMe(text, me), options.timeZone),
      (nick) => this.model.people.ignores(nick),
    );
    this.#scroll = new Scroll(this.model, this.#viewport);
    this.#switch = new RoomSwitch(this.model);
    const kept = { members: new MemberPanel(), memo: new RowMemo(), joints: new Joints(), held: undefined };
    const pathTo = (name: string) => backend.pathTo?.(name);
    const drawn = { model: this.model, viewport: this.#viewport, words, theme: options.theme };
    this.#parts = { ...drawn, ...kept, pathTo, outage: () => backend.outage };
    backend.on((event) => {
      if (event.kind === "received" && event.message.type !== "message") this.#membersVersion += 1;
      if (event.kind !== "connection") return;
      const { connection } = event;
      this.#retryTimer?.stop();
      if (connection.state !== "waiting") return;
      this.#retryAt = clock.monotonic() + connection.retryInMs;
      this.#retryTimer = clock.every(1_000, () => this.#pace.due());
    });
  }

  /** The first picture. */
  open(): void {
    this.#draw();
  }

  /** Hears of every new picture, after it was painted. @returns a function that ends it */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #state(echo = false): ScreenState {
    const { words, clock } = this.#options;
    const question = this.#paste.inWords(words) ?? this.#composer.search?.inWords(words) ?? this.#hint;
    return {
      ...this.#size,
      echo,
      position: this.#scroll.position,
      editing: this.#composer.editing,
      round: this.#composer.round,
      question,
      panels: this.#panels,
      retryInMs: this.#retryAt - clock.monotonic(),
      typing: this.model.typing(this.model.active),
      membersVersion: this.#membersVersion,
    };
  }

  /** A new picture now. @param echo of a key: what others did meanwhile comes when it is due */
  #draw(echo = false): void {
    if (this.#scroll.waits && !this.model.active.loading) this.#scroll.goOn(this.#place());
    this.model.look(this.#focused && this.#scroll.position === undefined && !this.#isBare);
    if (this.#isBare) return;
    const picture = () => this.#options.paint(drawFrame(this.#parts, this.#state(echo)));
    if (echo) picture();
    else this.#pace.paint(picture);
    for (const listener of this.#listeners) listener();
  }

  /** The terminal has another size. */
  resize(columns: number, rows: number): void {
    this.#size = { columns, rows };
    if (this.#isBare) this.#drawBare();
    else this.#draw();
  }

  #drawBare(): void {
    this.#isBare = true;
    const { active, me } = this.model;
    const lines = this.#viewport.upwards(active, this.#scroll.position, me);
    this.#options.paintBare(bareScreen(lines, this.#options.words.screen.bare, this.#size));
  }

  /** Keys that scroll go on doing so; every other one leads back. */
  #bareKey(action: Action | undefined): void {
    if (action === "suspend") return this.#options.suspend();
    if (
      action === "page-up" ||
      action === "page-down" ||
      action === "scroll-up" ||
      action === "scroll-down"
    ) {
      this.#act(action, false);
      this.#drawBare();
      return;
    }
    this.#isBare = false;
    this.#options.redraw();
    this.#draw();
  }

  /** Stops timers. */
  stop(): void {
    for (const timer of [this.#pace, this.#retryTimer]) timer?.stop();
  }

  /** Something was typed. */
  key(event: KeyEvent): void {
    this.#hint = undefined;
    if (event.kind === "focus") {
      this.#focused = event.focused;
      this.#draw();
      return;
    }
    if (this.#isBare) {
      this.#bareKey(event.kind === "key" ? this.#actionOf(event.key) : undefined);
      return;
    }
    const quitAsked = this.#quitAsked;
    this.#quitAsked = false;
    if (this.#composer.search?.take(event) === true) {
      // It stands in the line.
    } else if (event.kind === "paste") {
      const harmless = this.#paste.take(event);
      if (harmless !== undefined) this.#composer.type(harmless);
    } else if (this.#paste.asked) this.#answerPaste(event);
    else if (event.kind === "text") {
      this.#composer.type(event.text);
      this.#tellTyping();
    } else {
      const action = this.#actionOf(event.key);
      if (action === undefined) this.#go(this.#switch.numbered(event.key));
      else this.#act(action, quitAsked);
    }
    this.#draw(this.#pace.holdsBack);
  }

  #actionOf(key: string): Action | undefined {
    return Object.hasOwn(this.#options.bindings, key) ? this.#options.bindings[key] : undefined;
  }

  #answerPaste(event: KeyEvent): void {
    const decision = this.#paste.answer(event);
    if (decision?.how === "send") this.#say(decision.text);
    else if (decision?.how === "edit") this.#composer.type(decision.text);
  }

  #act(action: Action, quitAsked: boolean): void {
    switch (action) {
      case "send":
        this.#send();
        return;
      case "complete":
        this.#composer.complete(1, (before) => this.#candidates(before));
        return;
      case "complete-back":
        this.#composer.complete(-1, (before) => this.#candidates(before));
        return;
      case "page-up":
      case "page-down":
        this.#scroll.page(this.#place(), action === "page-up" ? -1 : 1);
        return;
      case "scroll-up":
      case "scroll-down":
        this.#scroll.by(this.#place(), action === "scroll-up" ? -1 : 1);
        return;
      case "scroll-top":
        this.#scroll.by(this.#place(), -this.model.active.log.messages * 100);
        return;
      case "scroll-bottom":
        this.#scroll.end();
        return;
      case "next-room":
      case "previous-room":
        this.#go(this.#switch.step(action === "next-room" ? 1 : -1));
        return;
      case "next-unread":
        this.#go(this.#switch.unread());
        return;
      case "last-room":
        this.#go(this.#switch.back());
        return;
      case "retry":
        this.model.retry(this.model.active);
        return;
      case "drop-failed":
        for (const text of this.model.dropFailed(this.model.active)) this.#composer.remember(text);
        return;
      case "panels":
        this.#panels = !this.#panels;
        return;
      case "bare":
        this.#drawBare();
        return;
      case "cancel":
        this.#cancel(quitAsked);
        return;
      case "quit-or-delete":
        if (this.#composer.editing.text === "") this.#options.quit();
        else this.#composer.act("delete-right");
        break;
      case "redraw":
      case "suspend":
        this.#options[action]();
        return;
      default:
        this.#composer.act(action);
    }
  }

  /** Escape and Ctrl-C: one thing less at a time; at last Ctrl-C twice quits. */
  #cancel(quitAsked: boolean): void {
    if (this.#composer.round !== undefined) this.#composer.act("undo");
    else if (this.#scroll.position !== undefined) this.#scroll.end();
    else if (this.#composer.editing.text !== "") this.#composer.clear();
    else if (quitAsked) this.#options.quit();
    else {
      this.#quitAsked = true;
      this.#hint = this.#options.words.screen.quitAgain;
    }
  }

  #candidates(before: string): Completion {
    const { backend } = this.#options;
    const joined = [...backend.session.rooms.keys()];
    const commands = commandsOf(backend);
    return complete(before, { commands, nicks: this.model.nicks(), joined, rooms: joined, emoji: findEmoji });
  }

  #send(): void {
    const typed = parseTyped(cleanOutgoing(this.#composer.editing.text));
    if (typed.kind === "nothing") return;
    this.#composer.take();
    const focus = (target: string) => this.#focus(target);
    const context = () =>
      contextOf({ ...this.#options, model: this.model, focus, jump: (seq) => this.#jump(seq) });
    if (typed.kind === "command") runCommand(context(), typed.name, typed.rest);
    else this.#say(typed.text);
  }

  #say(text: string): void {
    const room = this.model.active;
    this.#typingTold = 0;
    this.#scroll.end();
    for (const piece of splitText(text)) this.model.send(room.name, piece);
  }

  #go(room: RoomModel | undefined): void {
    if (room !== undefined) this.#focus(room.name);
  }

  #focus(name: string): void {
    this.#switch.leaving(this.model.active.name);
    this.model.focus(name);
    this.#composer.switchTo(this.model.active.name);
    this.#scroll.end();
    if (this.model.active.isDirect && this.model.active.log.messages === 0) {
      this.model.loadOlder(this.model.active);
    }
  }

  #jump(seq: number): void {
    this.#scroll.jump(
      () => this.#place(),
      seq,
      (found) => {
        if (!found) this.model.note(this.#options.words.noHistory(this.model.active.name), true);
        this.#draw();
      },
    );
  }

  /** Lets the others know that something is being written here, now and then. */
  #tellTyping(): void {
    const { backend, clock } = this.#options;
    const { active } = this.model;
    const now = clock.monotonic();
    const { text } = this.#composer.editing;
    if (active.isDirect || text === "" || text.startsWith("/") || now < this.#typingTold) return;
    this.#typingTold = now + screenLimits.typingEveryMs;
    backend.session.request({ type: "typing", room: active.name });
  }

  /** What scrolling has to know of the screen. */
  #place(): ScrollPlace {
    const { columns, height } = layOut(this.#parts, this.#state());
    return { room: this.model.active, me: this.model.me, columns, height };
  }

  #alert(alert: Alert): void {
    const looking =
      this.#focused &&
      !this.#isBare &&
      this.#scroll.position === undefined &&
      alert.room === this.model.active.name;
    if (!looking) this.#options.alert(alert);
  }
}
