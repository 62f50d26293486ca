/**
 * Lines on a terminal, with a line to type in below them: node:readline's editing, history and Tab.
 *
 * What is printed goes above the line being typed, which is drawn again below it, so that nothing typed is ever torn
 * apart. A line that was sent disappears: what it became is shown by the chat itself.
 *
 * A dumb terminal (an editor's shell window, a teletype) can do none of that, and shows escape sequences as rubbish: there
 * lines are only written below each other, without a prompt, and the terminal's own driver does the editing.
 */
import { createInterface, cursorTo, clearScreenDown, moveCursor } from "node:readline";
import type { Interface } from "node:readline";
import type { ReadStream, WriteStream } from "node:tty";
import type { Completion } from "../completion.ts";
import { hangingRows } from "./hanging.ts";
import type { LineScreen } from "./line-chat.ts";

export interface TerminalOptions {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly typed: (line: string) => void;
  readonly complete: (before: string) => Completion;
  /** Ctrl-C on an empty line, Ctrl-D, or the terminal went away. */
  readonly quit: () => void;
  /** It understands no escape sequences. */
  readonly dumb: boolean;
}

export class LineTerminal implements LineScreen {
  readonly #output: WriteStream;
  readonly #readline: Interface;
  readonly #dumb: boolean;
  #closed = false;

  constructor(options: TerminalOptions) {
    const { input, output, dumb } = options;
    this.#output = output;
    this.#dumb = dumb;
    this.#readline = createInterface({
      input,
      output,
      terminal: !dumb,
      historySize: 200,
      removeHistoryDuplicates: true,
      completer: (before: string): [string[], string] => {
        const { from, candidates } = options.complete(before);
        return [[...candidates], before.slice(from)];
      },
    });
    this.#readline.on("line", (line) => {
      if (!dumb) this.#eraseTyped(line);
      options.typed(line);
      if (!this.#closed && !dumb) this.#readline.prompt();
    });
    this.#readline.on("SIGINT", () => {
      if (this.#readline.line === "") options.quit();
      else this.#readline.write(null, { ctrl: true, name: "u" });
    });
    this.#readline.on("close", () => {
      if (!this.#closed) options.quit();
    });
  }

  /** Rows that the prompt and `typed` take. */
  #rows(typed: string): number {
    const columns = this.#output.columns || 80;
    const width = Bun.stringWidth(this.#readline.getPrompt()) + Bun.stringWidth(typed);
    return Math.floor(width / columns);
  }

  /** Enter has moved the cursor below the typed line. */
  #eraseTyped(line: string): void {
    moveCursor(this.#output, 0, -(this.#rows(line) + 1));
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
  }

  print(given: readonly string[]): void {
    const lines = given.flatMap((line) => hangingRows(line, this.#output.columns || 80));
    if (this.#closed || this.#dumb) {
      this.#output.write(`${lines.join("\n")}\n`);
      return;
    }
    const before = this.#readline.line.slice(0, this.#readline.cursor);
    moveCursor(this.#output, 0, -this.#rows(before));
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
    this.#output.write(`${lines.join("\n")}\n`);
    this.#readline.prompt(true);
  }

  prompt(text: string): void {
    if (this.#closed || this.#dumb) return;
    this.#readline.setPrompt(text);
    moveCursor(this.#output, 0, -this.#rows(this.#readline.line.slice(0, this.#readline.cursor)));
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
    this.#readline.prompt(true);
  }

  /** Gives the terminal back. What is printed afterwards is plain. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#dumb) {
      cursorTo(this.#output, 0);
      clearScreenDown(this.#output);
    }
    this.#readline.close();
  }
}
