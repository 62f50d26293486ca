/** Lines for slow readers: what waits is counted, and bounded. */
import { describe, expect, test } from "bun:test";
import { Writable } from "node:stream";
import { BoundedLines } from "../../src/cli/output.ts";

/** A stream that takes what it is given when it is told to. */
class Reader extends Writable {
  readonly #waiting: { readonly text: string; readonly taken: () => void }[] = [];
  read = "";

  override _write(chunk: Buffer, _encoding: string, taken: () => void): void {
    this.#waiting.push({ text: chunk.toString(), taken });
  }

  /** Takes one piece. */
  take(): void {
    const next = this.#waiting.shift();
    this.read += next?.text ?? "";
    next?.taken();
  }
}

describe("lines for a slow reader", () => {
  test("may wait up to a bound; beyond it whoever writes is told", async () => {
    const reader = new Reader();
    const lines = new BoundedLines(reader, 20);
    lines.write("123456789");
    lines.write("123456789");
    expect(lines.isBehind).toBe(false);
    reader.take();
    await Promise.resolve();
    lines.write("abcdefghi");
    expect([reader.read, lines.isBehind]).toEqual(["123456789\n", false]);
    lines.write("");
    expect(lines.isBehind).toBe(true);
    await lines.behind;
  });
});
