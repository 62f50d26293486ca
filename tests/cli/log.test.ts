import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { Failure, explainSystemError, UsageError } from "../../src/cli/errors.ts";
import { createLog, jsonLines, type LogFormat, type LogLevel, textLines } from "../../src/cli/log.ts";
import { reportFailure } from "../../src/cli/output.ts";
import type { LogFields } from "../../src/protocol/logger.ts";
import { sanitizeLine } from "../../src/protocol/sanitize.ts";
import { quote } from "../../src/protocol/names.ts";
import fc from "fast-check";

const at = Date.parse("2026-01-31T12:03:11.042Z");

/** Everything `use` writes to a stream that is no terminal. */
function written(use: (stream: Writable) => void): string {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  use(stream);
  return text;
}

describe("a line of the log", () => {
  const text = (message: string, fields: LogFields = {}) =>
    textLines(new PassThrough())(at, "info", message, fields);

  test("has time, level, message and fields", () => {
    expect(text("ready", { address: "127.0.0.1:8001", sessions: 3, slow: false, missing: undefined })).toBe(
      "12:03:11.042 info  ready address=127.0.0.1:8001 sessions=3 slow=false",
    );
  });

  test("cannot be forged by a value", () => {
    expect(text("m", { nick: "a b", x: 'q"q', empty: "", eq: "a=b" })).toBe(
      String.raw`12:03:11.042 info  m nick="a b" x="q\"q" empty="" eq="a=b"`,
    );
    const hostile = text("one\ntwo", { nick: "\n12:00:00.000 error forged\u001b[31m\u202e" });
    expect(hostile).not.toContain("\n");
    expect(hostile).not.toContain("\u001b");
    expect(hostile).not.toContain("\u202e");
  });

  test("commands no terminal as JSON either, and loses nothing", () => {
    const fields = { from: "\u009b31m\u009d0;title\u009c", other: "\u202e\u007f\u2028\u001b[2J" };
    const line = jsonLines(at, "info", "m\u009bm", fields);
    expect(line).toMatch(/^[\u0020-\u007e]*$/);
    expect(JSON.parse(line)).toMatchObject({ ...fields, message: "m\u009bm" });
  });

  test("keeps the end of a long sentence, which says what to do", () => {
    const reason = `${"the cluster secrets differ; ".repeat(5)}start both with the same --data folder`;
    expect(text("m", { reason })).toEndWith('same --data folder"');
    expect(text("m", { reason: "x ".repeat(5_000) }).length).toBeLessThan(600);
  });

  test("has a value bare exactly when that cannot be misread, whatever the value", () => {
    const value = fc.oneof(fc.string({ unit: "binary" }), fc.string({ maxLength: 600 }), fc.constant(""));
    fc.assert(
      fc.property(value, (shown) => {
        const bare = sanitizeLine(shown) === shown && /^[^\s"=\\]+$/.test(shown);
        expect(text("m", { shown })).toBe(`12:03:11.042 info  m shown=${bare ? shown : quote(shown, 500)}`);
      }),
    );
  });

  test("tells the time anew in each millisecond", () => {
    const format = textLines(new PassThrough());
    const times = [at, at, at + 1, at].map((ms) => format(ms, "info", "m", {}).slice(0, 12));
    expect(times).toEqual(["12:03:11.042", "12:03:11.042", "12:03:11.043", "12:03:11.042"]);
  });

  test("is one JSON object for machines, whose own fields nobody replaces", () => {
    const line = jsonLines(at, "warn", "m\n", { level: "error", time: "never", nick: "\u001b[31m", n: 1 });
    expect(JSON.parse(line)).toEqual({
      time: "2026-01-31T12:03:11.042Z",
      level: "warn",
      message: "m\n",
      nick: "\u001b[31m",
      n: 1,
    });
    expect(line).not.toContain("\n");
    expect(line).not.toContain("\u001b");
  });
});

describe("a log", () => {
  const levelsWritten = (level: LogLevel, format: LogFormat) =>
    written((stream) => {
      const log = createLog(level, format, { stream });
      log.debug("d");
      log.info("i");
      log.warn("w");
      log.error("e", { code: 7 });
    })
      .trimEnd()
      .split("\n");

  test("writes its level and above", () => {
    expect(levelsWritten("debug", "json")).toHaveLength(4);
    expect(levelsWritten("info", "json")).toHaveLength(3);
    expect(levelsWritten("warn", "text")).toHaveLength(2);
    const [only, ...rest] = levelsWritten("error", "json").map((line): unknown => JSON.parse(line));
    expect(only).toMatchObject({ level: "error", message: "e", code: 7 });
    expect(rest).toEqual([]);
  });

  /** What reaches a stream, a write an element. */
  function collect(take: (chunk: string, done: () => void) => void = (_, done) => done()) {
    const writes: string[] = [];
    const stream = new Writable({
      decodeStrings: false,
      highWaterMark: 1,
      write(chunk: string, _encoding, done) {
        writes.push(chunk);
        take(chunk, done);
      },
    });
    return { writes, stream };
  }
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

  test("writes a line as often as it is asked to, the first at once and the others of the turn together", async () => {
    const { writes, stream } = collect();
    const log = createLog("info", "json", { stream });
    for (let n = 0; n < 50; n += 1) log.info("again", { n });
    expect(writes).toHaveLength(1);
    await turn();
    expect(writes).toHaveLength(2);
    const numbers = writes
      .join("")
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { n: number }).n);
    expect(numbers).toEqual(Array.from({ length: 50 }, (_, n) => n));
    log.info("later");
    expect(writes).toHaveLength(3);
  });

  test("does not keep a warning waiting, nor what came before it", () => {
    const { writes, stream } = collect();
    const log = createLog("info", "text", { stream });
    log.info("one");
    log.info("two");
    log.warn("three");
    expect(writes.join("")).toContain("two\n");
    expect(writes.join("")).toContain("three\n");
    log.info("four");
    log.flush();
    expect(writes.join("")).toContain("four\n");
  });

  test("that nobody reads is bounded, and says afterwards what was dropped", async () => {
    const held: (() => void)[] = [];
    const { writes, stream } = collect((_, done) => held.push(done));
    const log = createLog("info", "json", { stream, now: () => at, limits: { unreadBytes: 10_000 } });
    for (let n = 0; n < 1_000; n += 1) {
      log.info("a line", { n });
      if (n % 10 === 0) await turn();
    }
    expect(stream.writableLength).toBeLessThan(10_200);
    while (held.length > 0) {
      held.shift()?.();
      await turn();
    }
    log.info("the last", { n: -1 });
    await turn();
    while (held.length > 0) held.shift()?.();
    await turn();
    const lines = writes
      .join("")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { n?: number; lost?: number });
    const kept = lines.flatMap(({ n }) => (n === undefined || n < 0 ? [] : [n]));
    expect(kept).toEqual(kept.map((_, n) => n));
    expect(lines.at(-2)).toMatchObject({ level: "warn", lost: 1_000 - kept.length });
    expect(lines.at(-1)).toMatchObject({ n: -1 });
    expect(kept.length).toBeGreaterThan(50);
  });

  test("of a real process whose stderr is a stalled pipe costs no memory", async () => {
    const script = `
      import { createLog } from ${JSON.stringify(new URL("../../src/cli/log.ts", import.meta.url).pathname)};
      const log = createLog("info", "text");
      for (let n = 0; n < 200; n += 1) {
        for (let line = 0; line < 1_000; line += 1) log.info("a line that nobody reads", { n, line, more: "x".repeat(200) });
        await new Promise((resolve) => setImmediate(resolve));
      }
      console.log("logged");
    `;
    const folder = mkdtempSync(join(tmpdir(), "rtchat-log-"));
    try {
      // The reader waits until 50 MB were logged, and only then looks how much of it there is.
      const pipeline = `"$BUN" -e "$SCRIPT" 2>&1 >"$DONE" | { until test -s "$DONE"; do sleep 0.02; done; wc -c; }`;
      const shell = Bun.spawn(["sh", "-c", pipeline], {
        env: { ...process.env, BUN: process.execPath, SCRIPT: script, DONE: join(folder, "done") },
        stdout: "pipe",
      });
      const read = Number(await new Response(shell.stdout).text());
      expect(read).toBeGreaterThan(1_000_000);
      expect(read).toBeLessThan(1_400_000);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a failure", () => {
  const report = (error: unknown, mode = "server") => {
    let code = 0;
    const text = written((stream) => {
      code = reportFailure(error, mode, stream);
    });
    return { code, text };
  };

  test("is one line and a hint", () => {
    expect(report(new Failure("port 8001 is in use", "choose another with --port"))).toEqual({
      code: 1,
      text: "rtchat server: port 8001 is in use\nhint: choose another with --port\n",
    });
    expect(report(new UsageError("no"), "")).toEqual({ code: 2, text: "rtchat: no\n" });
  });

  test("of the operating system says what to do", () => {
    const error = Object.assign(new Error("open"), { code: "EACCES", path: "/data" });
    expect(report(error).text).toBe(
      "rtchat server: no permission for /data\nhint: choose another place, or change its permissions\n",
    );
    expect(explainSystemError(error, "127.0.0.1:80")?.message).toBe("no permission for 127.0.0.1:80");
    expect(explainSystemError(Object.assign(new Error("x"), { code: "toString" }))).toBeUndefined();
    expect(explainSystemError(new Error("x"))).toBeUndefined();
  });

  test("of our own shows its stack", () => {
    const { code, text } = report(new TypeError("undefined is not\u001b[31m a function"));
    expect(code).toBe(1);
    expect(text).toContain("a fault of rtchat itself");
    expect(text).toContain("log.test.ts");
    expect(text).not.toContain("\u001b");
    expect(report("thrown text").text).toContain("thrown text");
  });
});
