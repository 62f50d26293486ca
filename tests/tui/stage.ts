/** A screen without a terminal: keys go in, pictures come out, and a chat that does what a test says is behind it. */
import type { ClientEvent, ClientListener, ConnectionState } from "../../src/client/events.ts";
import type { ChatBackend, ChatSession, PlainRequest, RoomView, Taken } from "../../src/tui/backend.ts";
import type { AnswerHandler } from "../../src/client/answers.ts";
import { defaultTheme } from "../../src/tui/colours.ts";
import { defaultBindings } from "../../src/tui/input/bindings.ts";
import { KeyDecoder } from "../../src/tui/input/keys.ts";
import { english } from "../../src/tui/language/english.ts";
import type { Words } from "../../src/tui/language/words.ts";
import type { BareScreen } from "../../src/tui/screen/bare.ts";
import { ScreenController } from "../../src/tui/screen/controller.ts";
import type { ControllerOptions } from "../../src/tui/screen/controller.ts";
import type { Frame } from "../../src/tui/screen/frame.ts";
import { rowWidth } from "../../src/tui/text/spans.ts";
import type { Row } from "../../src/tui/text/spans.ts";
import { ManualClock } from "../support/manual-clock.ts";

const textOf = (row: Row) => row.map(({ text }) => text).join("");

/** A chat in memory. */
class StubChat implements ChatBackend, ChatSession {
  readonly listeners = new Set<ClientListener>();
  readonly rooms = new Map<string, RoomView>();
  readonly sent: { readonly room: string; readonly text: string }[] = [];
  readonly requests: PlainRequest[] = [];
  connection: ConnectionState = { state: "idle" };
  nick = "ana";
  online = true;
  away: string | undefined = undefined;
  unacknowledged = 0;
  outage: string | undefined = undefined;
  path: string | undefined = undefined;
  /** What becomes of the next message. */
  refusal: Taken | undefined = undefined;
  #seq = 0;

  get session(): ChatSession {
    return this;
  }
  on(listener: ClientListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  tell(event: ClientEvent): void {
    for (const listener of this.listeners) listener(event);
  }
  pathTo(): string | undefined {
    return this.path;
  }
  join(name: string): RoomView {
    const view = {
      name,
      state: "joined" as const,
      position: undefined,
      members: new Map([["ana", "ana"]]),
      away: new Map<string, string>(),
      bots: new Set<string>(),
      memberCount: 1,
      topic: "",
    };
    this.rooms.set(name, view);
    return view;
  }
  leave(name: string): boolean {
    return this.rooms.delete(name);
  }
  send(room: string, text: string): Taken {
    if (this.refusal !== undefined) return this.refusal;
    this.sent.push({ room, text });
    return { ok: true as const, id: `s${this.sent.length}` };
  }
  request(request: PlainRequest, _done?: AnswerHandler) {
    this.requests.push(request);
    return { ok: true as const, id: "r" };
  }
  connect(): void {}
  retryNow(): void {}
  changeNick(): void {}
  close(): void {}

  /** Somebody says something. */
  says(from: string, text: string, room = "lobby"): void {
    this.#seq += 1;
    const message = { type: "message" as const, room, seq: this.#seq, from, at: this.#seq * 1_000, text };
    this.tell({ kind: "received", message, rejoined: false });
  }
  goOnline(): void {
    this.connection = {
      state: "online",
      address: "a",
      server: "s",
      nick: this.nick,
      first: true,
      resumed: false,
    };
    this.tell({ kind: "connection", connection: this.connection });
  }
}

/** A screen with its chat. */
export class Stage {
  readonly chat = new StubChat();
  readonly clock = new ManualClock();
  readonly controller: ScreenController;
  readonly #decoder = new KeyDecoder();
  frame: Frame | undefined;
  bare: BareScreen | undefined;
  left = false;

  constructor(
    size: { readonly columns: number; readonly rows: number },
    options: Partial<ControllerOptions> & { readonly words?: Words } = {},
  ) {
    this.controller = new ScreenController({
      backend: this.chat,
      words: english,
      clock: this.clock,
      room: "lobby",
      bindings: defaultBindings,
      theme: defaultTheme,
      suggest: () => undefined,
      size,
      quit: () => (this.left = true),
      suspend: () => {},
      redraw: () => {},
      paint: (frame) => {
        this.frame = frame;
        this.bare = undefined;
        return 0;
      },
      paintBare: (screen) => (this.bare = screen),
      alert: () => {},
      timeZone: "UTC",
      ...options,
    });
    this.controller.open();
  }

  /** What a terminal sends. */
  press(bytes: string): void {
    const decoder = this.#decoder;
    for (const event of decoder.push(new TextEncoder().encode(bytes))) this.controller.key(event);
    for (const event of decoder.flush()) this.controller.key(event);
  }

  /** The rows of the picture. */
  get rows(): string[] {
    this.controller.resize(this.frame?.columns ?? 80, this.frame?.rows.length ?? 24);
    return (this.frame?.rows ?? []).map(textOf);
  }

  get widths(): number[] {
    return (this.frame?.rows ?? []).map(rowWidth);
  }
}
