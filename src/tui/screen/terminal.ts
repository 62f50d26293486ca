/**
 * The terminal around the screen: raw keys, pasting in brackets, focus reports, the title, the bell and notifications;
 * and all of it as it was when the program ends, however it ends.
 */
import type { ReadStream, WriteStream } from "node:tty";
import type { Clock, Timer } from "../../protocol/clock.ts";
import { screenLimits } from "../../protocol/limits.client.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";
import { KeyDecoder } from "../input/keys.ts";
import type { KeyEvent } from "../input/keys.ts";

/** Bracketed paste and focus reports; save the title (xterm's stack). */
const ENTER = "\u001b[?2004h\u001b[?1004h\u001b[22;2t";
const LEAVE = "\u001b[?2004l\u001b[?1004l\u001b[23;2t";

/** How this terminal shows a notification of the desktop, if it can. */
export type NotificationStyle = "osc9" | "osc777" | "osc99" | "none";

/** What the environment says of the terminal's notifications. */
export function notificationStyle(
  environment: Readonly<Record<string, string | undefined>>,
): NotificationStyle {
  const term = environment["TERM"] ?? "";
  const program = (environment["TERM_PROGRAM"] ?? "").toLowerCase();
  if (term.includes("kitty") || environment["KITTY_WINDOW_ID"] !== undefined) return "osc99";
  if (/iterm|wezterm|ghostty/.test(program) || environment["WT_SESSION"] !== undefined) return "osc9";
  if (term.startsWith("rxvt") || term.startsWith("foot") || term.startsWith("contour")) return "osc777";
  return "none";
}

/** The bytes of a notification; title and body hold no control characters afterwards. */
function notification(style: NotificationStyle, title: string, body: string): string {
  const [head, text] = [title, body].map((part) => sanitizeLine(part).replaceAll(";", ",").slice(0, 200));
  switch (style) {
    case "osc9":
      return `\u001b]9;${head}: ${text}\u001b\\`;
    case "osc777":
      return `\u001b]777;notify;${head};${text}\u001b\\`;
    case "osc99":
      return `\u001b]99;i=rtchat:d=0;${head}\u001b\\\u001b]99;i=rtchat:d=1:p=body;${text}\u001b\\`;
    case "none":
      return "";
  }
}

export interface ScreenTerminalOptions {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly clock: Clock;
  readonly notifications: NotificationStyle;
  readonly key: (event: KeyEvent) => void;
  readonly resized: (columns: number, rows: number) => void;
}

export class ScreenTerminal {
  readonly #options: ScreenTerminalOptions;
  readonly #decoder = new KeyDecoder();
  #escape: Timer | undefined;
  #title = "";
  #open = false;

  constructor(options: ScreenTerminalOptions) {
    this.#options = options;
  }

  /** Takes the terminal. */
  open(): void {
    const { input, output } = this.#options;
    this.#open = true;
    input.setRawMode(true);
    input.on("data", this.#data);
    output.on("resize", this.#resized);
    output.write(ENTER);
    input.resume();
    // However the process ends, the person's shell must be usable.
    process.once("exit", this.#restore);
  }

  /** Gives it back. */
  close(): void {
    const { input, output } = this.#options;
    this.#escape?.stop();
    input.off("data", this.#data);
    output.off("resize", this.#resized);
    input.pause();
    this.#restore();
    process.off("exit", this.#restore);
  }

  #restore = (): void => {
    if (!this.#open) return;
    this.#open = false;
    this.#options.output.write(LEAVE);
    this.#options.input.setRawMode(false);
  };

  #data = (chunk: Uint8Array): void => {
    this.#escape?.stop();
    for (const event of this.#decoder.push(chunk)) this.#options.key(event);
    if (!this.#decoder.pending) return;
    this.#escape = this.#options.clock.after(screenLimits.escapeMs, () => {
      for (const event of this.#decoder.flush()) this.#options.key(event);
    });
  };

  #resized = (): void => {
    const { columns, rows } = this.#options.output;
    this.#options.resized(columns, rows);
  };

  /** Sets the window's title, if it is another one. */
  title(text: string): void {
    const title = sanitizeLine(text);
    if (title === this.#title || !this.#open) return;
    this.#title = title;
    this.#options.output.write(`\u001b]2;${title}\u001b\\`);
  }

  /** Rings, and tells the desktop where the terminal can. */
  notify(title: string, body: string): void {
    if (this.#open)
      this.#options.output.write(`\u0007${notification(this.#options.notifications, title, body)}`);
  }
}
