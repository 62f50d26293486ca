/**
 * The terminal around the screen: its alternate screen, raw keys, pasting in brackets, focus reports, the title, the
 * bell and notifications; and all of it as it was when the program ends or is suspended, however that comes.
 *
 * Invariant: while `#taken` is false the terminal is as it was found, and nothing is written to it.
 */
import type { ReadStream, WriteStream } from "node:tty";
import type { Clock, Timer } from "../../protocol/clock.ts";
import { screenLimits } from "../../protocol/limits.client.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";
import { KeyDecoder } from "../input/keys.ts";
import type { KeyEvent } from "../input/keys.ts";

/**
 * Saves the title (xterm's stack), goes to the alternate screen, wraps no lines (a cluster that this terminal measures
 * otherwise must not push the next row away), puts pastes in brackets, reports the focus.
 */
const ENTER = "\u001b[22;2t\u001b[?1049h\u001b[?7l\u001b[?2004h\u001b[?1004h";
/** All of it back: pens, link and scrolling region too, and a cursor that is seen. */
const LEAVE =
  "\u001b[?2026l\u001b]8;;\u001b\\\u001b[m\u001b[r\u001b[?25h\u001b[?1004l\u001b[?2004l\u001b[?7h\u001b[?1049l\u001b[23;2t";

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
  /** The terminal was given away and is here again: nothing is on it, and it may have another size. */
  readonly returned: () => void;
}

export class ScreenTerminal {
  readonly #options: ScreenTerminalOptions;
  readonly #decoder = new KeyDecoder();
  #escape: Timer | undefined;
  #title = "";
  /** The terminal is ours: raw, and on the alternate screen. */
  #taken = false;

  constructor(options: ScreenTerminalOptions) {
    this.#options = options;
  }

  /** Takes the terminal. */
  open(): void {
    const { input, output } = this.#options;
    this.#take();
    input.on("data", this.#data);
    output.on("resize", this.#resized);
    input.resume();
    process.on("SIGTSTP", this.suspend);
    process.on("SIGCONT", this.#continued);
    // However the process ends, the person's shell must be usable.
    process.once("exit", this.#give);
  }

  /** Gives it back. */
  close(): void {
    const { input, output } = this.#options;
    this.#escape?.stop();
    input.off("data", this.#data);
    output.off("resize", this.#resized);
    process.off("SIGTSTP", this.suspend);
    process.off("SIGCONT", this.#continued);
    input.pause();
    this.#give();
    process.off("exit", this.#give);
  }

  #take(): void {
    const { input, output } = this.#options;
    this.#taken = true;
    input.setRawMode(true);
    output.write(ENTER);
  }

  #give = (): void => {
    if (!this.#taken) return;
    this.#taken = false;
    this.#options.output.write(LEAVE);
    this.#options.input.setRawMode(false);
  };

  /** Brings a picture there. Nothing is written while the terminal is somebody else's. */
  write(text: string): void {
    if (this.#taken) this.#options.output.write(text);
  }

  /** Gives the terminal back to the shell until the shell brings this program to the front again. */
  suspend = (): void => {
    this.#give();
    // SIGTSTP has a listener, so it would not stop anything.
    process.kill(process.pid, "SIGSTOP");
  };

  /** In front again, perhaps without having been suspended by us. */
  #continued = (): void => {
    this.#give();
    this.#take();
    const { title } = this;
    this.#title = "";
    this.setTitle(title);
    this.#options.returned();
    this.#resized();
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

  /** The window's title. */
  get title(): string {
    return this.#title;
  }

  /** Sets the window's title, if it is another one. */
  setTitle(text: string): void {
    const title = sanitizeLine(text);
    if (title === this.#title || !this.#taken) return;
    this.#title = title;
    this.write(`\u001b]2;${title}\u001b\\`);
  }

  /** Rings, and tells the desktop where the terminal can. */
  notify(title: string, body: string): void {
    this.write(`\u0007${notification(this.#options.notifications, title, body)}`);
  }
}
