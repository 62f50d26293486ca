import { describe, expect, test } from "bun:test";
import { PassThrough, Writable } from "node:stream";
import { Failure, explainSystemError, UsageError } from "../../src/cli/errors.ts";
import { createLog, formatJson, formatText, type LogFormat, type LogLevel } from "../../src/cli/log.ts";
import { reportFailure } from "../../src/cli/output.ts";

const at = new Date("2026-01-31T12:03:11.042Z");

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
  const text = (message: string, fields = {}) => formatText(new PassThrough(), at, "info", message, fields);

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

  test("keeps the end of a long sentence, which says what to do", () => {
    const reason = `${"the cluster secrets differ; ".repeat(5)}start both with the same --data folder`;
    expect(text("m", { reason })).toEndWith('same --data folder"');
    expect(text("m", { reason: "x ".repeat(5_000) }).length).toBeLessThan(600);
  });

  test("is one JSON object for machines, whose own fields nobody replaces", () => {
    const line = formatJson(at, "warn", "m\n", { level: "error", time: "never", nick: "\u001b[31m", n: 1 });
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
      const log = createLog(level, format, stream);
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

  test("writes a line as often as it is asked to", () => {
    const lines = written((stream) => {
      const log = createLog("info", "text", stream);
      for (let n = 0; n < 50; n += 1) log.info("again");
    });
    expect(lines.split("\n").filter(Boolean)).toHaveLength(50);
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
      "rtchat server: no permission for /data\nhint: choose another place, or a port above 1023\n",
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
