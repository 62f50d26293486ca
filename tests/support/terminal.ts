/**
 * A program on a pseudo-terminal, read as a person reads it: not the bytes it wrote but what stands on the screen.
 *
 * The bytes go into xterm.js's emulator, which also answers the questions that programs ask a terminal (cursor
 * position, device attributes). Tests wait for a screen, never for a time.
 */
import { UnicodeGraphemesAddon } from "@xterm/addon-unicode-graphemes";
import xterm from "@xterm/headless";
import { withDeadline } from "./deadline.ts";

/** Of the pseudo-terminal. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** One cluster on the screen, with its looks. */
export interface ShownCell {
  readonly text: string;
  /** Columns: 1 or 2. */
  readonly width: number;
  /** xterm colour, 0 to 255; undefined for the terminal's own. */
  readonly colour: number | undefined;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
}

/** What keys send. */
const keys = {
  enter: "\r",
  escape: "\u001b",
  tab: "\t",
  backspace: "\u007f",
  up: "\u001b[A",
  down: "\u001b[B",
  right: "\u001b[C",
  left: "\u001b[D",
  home: "\u001b[H",
  end: "\u001b[F",
  "page-up": "\u001b[5~",
  "page-down": "\u001b[6~",
  "ctrl-a": "\u0001",
  "ctrl-c": "\u0003",
  "ctrl-d": "\u0004",
  "ctrl-e": "\u0005",
  "ctrl-l": "\u000c",
  "ctrl-r": "\u0012",
  "ctrl-u": "\u0015",
  "ctrl-w": "\u0017",
} as const;

/** A program with a screen. */
export class TerminalScreen {
  readonly #emulator: xterm.Terminal;
  readonly #child: Bun.Subprocess;
  readonly #terminal: Bun.Terminal;
  readonly #watchers = new Set<() => void>();
  #raw = "";

  constructor(command: readonly string[], size: TerminalSize, env: Record<string, string>) {
    this.#emulator = new xterm.Terminal({
      cols: size.columns,
      rows: size.rows,
      scrollback: 10_000,
      allowProposedApi: true,
    });
    // Widths as the terminals of today have them: clusters, not code points, and emoji two columns wide.
    this.#emulator.loadAddon(new UnicodeGraphemesAddon());
    const decoder = new TextDecoder();
    this.#child = Bun.spawn([...command], {
      // Given as options and not as a Bun.Terminal, which would not become the program's controlling terminal: no
      // signal would reach it on Ctrl-C or a change of size.
      terminal: {
        cols: size.columns,
        rows: size.rows,
        data: (_terminal, bytes) => {
          this.#raw += decoder.decode(bytes, { stream: true });
          this.#emulator.write(bytes, () => this.#look());
        },
      },
      env: { ...env, TERM: "xterm-256color", COLORTERM: "truecolor" },
    });
    if (this.#child.terminal === undefined) throw new Error("no pseudo-terminal could be opened");
    this.#terminal = this.#child.terminal;
    this.#emulator.onData((answer) => void this.#terminal.write(answer));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Every byte the program wrote, as text: to show that a certain sequence never reached the terminal. */
  get raw(): string {
    return this.#raw;
  }

  /** What is being painted is not on the screen yet: a frame comes in many writes (DEC mode 2026). */
  #look(): void {
    if (this.#painting) return;
    for (const watcher of this.#watchers) watcher();
  }

  get #painting(): boolean {
    return this.#emulator.modes.synchronizedOutputMode;
  }

  #lines(first: number, count: number): string[] {
    const buffer = this.#emulator.buffer.active;
    return Array.from(
      { length: count },
      (_, index) => buffer.getLine(first + index)?.translateToString(true, 0, this.#emulator.cols) ?? "",
    );
  }

  /** What stands on the screen now: as many lines as it has rows, without trailing spaces. */
  lines(): string[] {
    return this.#lines(this.#emulator.buffer.active.baseY, this.#emulator.rows);
  }

  /** The screen as one text, without empty lines at its end. */
  screen(): string {
    return this.lines().join("\n").trimEnd();
  }

  /** The screen as a selection of all of it copies it: rows that the terminal itself broke are one line. */
  copied(): string {
    const buffer = this.#emulator.buffer.active;
    let text = "";
    for (let y = buffer.baseY; y < buffer.baseY + this.#emulator.rows; y += 1) {
      const line = buffer.getLine(y);
      const breaks = buffer.getLine(y + 1)?.isWrapped !== true;
      text += `${line?.translateToString(breaks) ?? ""}${breaks ? "\n" : ""}`;
    }
    return text.trimEnd();
  }

  /** All lines that scrolled away and those on the screen. */
  history(): string {
    return this.#lines(0, this.#emulator.buffer.active.length).join("\n").trimEnd();
  }

  /** The screen row by row, cell by cell, empty ones too. */
  cells(): ShownCell[][] {
    const buffer = this.#emulator.buffer.active;
    return Array.from({ length: this.#emulator.rows }, (_, y) => {
      const line = buffer.getLine(buffer.baseY + y);
      return Array.from({ length: this.#emulator.cols }, (__, x) => line?.getCell(x)).flatMap((cell) =>
        cell === undefined || cell.getWidth() === 0
          ? []
          : {
              text: cell.getChars() || " ",
              width: cell.getWidth(),
              colour: cell.isFgPalette() ? cell.getFgColor() : undefined,
              bold: cell.isBold() !== 0,
              dim: cell.isDim() !== 0,
              italic: cell.isItalic() !== 0,
              underline: cell.isUnderline() !== 0,
              inverse: cell.isInverse() !== 0,
            },
      );
    });
  }

  /** The cursor, from 0, as [column, row]. */
  cursor(): readonly [number, number] {
    const { cursorX, cursorY } = this.#emulator.buffer.active;
    return [cursorX, cursorY];
  }

  /** Resolves with the screen as soon as it matches. */
  async see(what: RegExp | ((screen: string) => boolean)): Promise<string> {
    const matches = typeof what === "function" ? what : (screen: string) => what.test(screen);
    const seen = Promise.withResolvers<string>();
    const watcher = () => {
      const screen = this.screen();
      if (matches(screen)) seen.resolve(screen);
    };
    this.#watchers.add(watcher);
    try {
      this.#look();
      return await withDeadline(
        seen.promise,
        () => `a screen with ${String(what)}; it shows\n${this.screen()}`,
      );
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  type(text: string): void {
    this.#terminal.write(text);
  }

  press(...names: (keyof typeof keys)[]): void {
    for (const name of names) this.#terminal.write(keys[name]);
  }

  resize(size: TerminalSize): void {
    this.#emulator.resize(size.columns, size.rows);
    this.#terminal.resize(size.columns, size.rows);
  }

  /** The terminal's window is closed. */
  hangUp(): void {
    this.#terminal.close();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The exit code when it has ended by itself; null when a signal ended it. */
  async ended(): Promise<number | null> {
    await withDeadline(
      this.#child.exited,
      () => `the end of process ${this.pid}; its screen shows\n${this.screen()}`,
    );
    return this.#child.exitCode;
  }

  /** For cleaning up. */
  async destroy(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#child.exited;
    if (!this.#terminal.closed) this.#terminal.close();
    this.#emulator.dispose();
  }
}
