/**
 * Lines of text from a stream of bytes, whatever it is cut into and however long they are.
 *
 * Invalid UTF-8 becomes the replacement character, because a file name in an old encoding must not stop a log from being
 * sent. A line over the limit comes in pieces, so memory stays bounded; only the last piece has `complete`.
 */

/** A line without its line break, or a piece of one. */
export interface StdinLine {
  readonly text: string;
  /** The line, or what is left of it, ends here. */
  readonly complete: boolean;
  /** Not the line's first piece. */
  readonly continued: boolean;
}

export class StdinLines {
  readonly #most: number;
  readonly #decoder = new TextDecoder();
  #held = "";
  #continued = false;

  /** @param most UTF-16 units of one piece */
  constructor(most: number) {
    this.#most = most;
  }

  push(chunk: Uint8Array): StdinLine[] {
    return this.#take(this.#decoder.decode(chunk, { stream: true }));
  }

  /** The stream is over: what is left is a line too. */
  end(): StdinLine[] {
    const lines = this.#take(this.#decoder.decode());
    if (this.#held !== "" || this.#continued) lines.push(...this.#line(this.#held, true));
    this.#held = "";
    return lines;
  }

  #take(text: string): StdinLine[] {
    const parts = (this.#held + text).split("\n");
    this.#held = parts.pop() ?? "";
    const lines = parts.flatMap((part) => this.#line(part.endsWith("\r") ? part.slice(0, -1) : part, true));
    while (this.#held.length > this.#most) {
      lines.push(...this.#line(this.#held.slice(0, this.#most), false));
      this.#held = this.#held.slice(this.#most);
    }
    return lines;
  }

  #line(text: string, complete: boolean): StdinLine[] {
    const pieces: StdinLine[] = [];
    let rest = text;
    while (rest.length > this.#most) {
      pieces.push({ text: rest.slice(0, this.#most), complete: false, continued: this.#continued });
      this.#continued = true;
      rest = rest.slice(this.#most);
    }
    pieces.push({ text: rest, complete, continued: this.#continued });
    this.#continued = !complete;
    return pieces;
  }
}
