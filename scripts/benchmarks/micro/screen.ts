/**
 * The client's full screen as a person feels it, through the executable on a pseudo-terminal:
 *
 *   bun scripts/benchmarks/micro/screen.ts [--size 160x50]
 *
 * - first output: from starting the program to its first byte;
 * - key to screen: from a key to the first byte that shows it, while 200 messages a second come in;
 * - memory with 100,000 messages in the scrollback.
 *
 * The server is a listener in this process that says what a server says, so that only the client is measured.
 */
import { readFileSync } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Socket } from "bun";

const KEYS = 200;
const PER_SECOND = 200;
const SCROLLBACK = 100_000;

const { values } = parseArgs({ options: { size: { type: "string", default: "160x50" } } });
const [cols = 160, rows = 50] = values.size.split("x").map(Number);
const binary = process.env["RTCHAT_BIN"] ?? resolve(import.meta.dir, "../../../dist/rtchat");
const folder = mkdtempSync(join(tmpdir(), "rtchat-bench-screen-"));

let seq = 0;
let socket: Socket | undefined;
const joined = Promise.withResolvers<void>();
const waiting: Buffer[] = [];

function flush(): void {
  while (socket !== undefined && waiting[0] !== undefined) {
    const taken = Math.max(0, socket.write(waiting[0]));
    if (taken < waiting[0].length) {
      waiting[0] = waiting[0].subarray(taken);
      return;
    }
    waiting.shift();
  }
}

function say(object: object): void {
  waiting.push(Buffer.from(`${JSON.stringify(object)}\n`));
  if (waiting.length === 1) flush();
}

function message(): object {
  seq += 1;
  const text = `message ${seq}: some words that people say, 日本 👋 and https://example.org/${seq}`;
  return { type: "message", room: "lobby", seq, from: `person${seq % 40}`, at: Date.now(), text };
}

const listener = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(opened) {
      socket = opened;
    },
    data(_, chunk) {
      for (const line of chunk.toString().split("\n").filter(Boolean)) {
        const { type, id, nick } = JSON.parse(line) as { type: string; id: string; nick: string };
        if (type === "hello") {
          const inbox = { epoch: "e", seq: 0 };
          const who = { session: "s", nick, resume: "r", resumed: false, inbox };
          say({ type: "welcome", version: 1, server: "bench", cluster: "bench", ...who, id });
        } else if (type === "join") {
          const members = Array.from({ length: 40 }, (__, n) => `person${n}`);
          const room = { room: "lobby", epoch: "e", seq: 0, members, memberCount: 40, topic: "" };
          say({ type: "joined", ...room, messages: [], recovered: true, id });
          joined.resolve();
        }
      }
    },
    drain: flush,
    close() {
      socket = undefined;
    },
    error() {},
  },
});

const decoder = new TextDecoder();
let output = "";
let watch: ((text: string) => void) | undefined;
const began = performance.now();
let firstMs = 0;
const child = Bun.spawn([binary, "client", "--connect", `127.0.0.1:${listener.port}`, "--nick", "ana"], {
  terminal: {
    cols,
    rows,
    data(_, bytes) {
      if (firstMs === 0) firstMs = performance.now() - began;
      output = (output + decoder.decode(bytes, { stream: true })).slice(-20_000);
      watch?.(output);
    },
  },
  env: { PATH: process.env["PATH"] ?? "", HOME: folder, TERM: "xterm-256color", LC_ALL: "C.UTF-8" },
});

function sees(text: string): Promise<number> {
  return new Promise((found) => {
    watch = (shown) => {
      if (shown.includes(text)) {
        watch = undefined;
        found(performance.now());
      }
    };
    watch(output);
  });
}

/** Resident memory of the client, MiB, without what is shared with other processes: file-backed pages of the executable. */
function memory(): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024;
}

function at(sorted: readonly number[], share: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
}

try {
  await joined.promise;
  await sees("ana");
  const idle = memory();
  const chatter = setInterval(() => say(message()), 1_000 / PER_SECOND);
  const delays: number[] = [];
  const letters = "abcdefghijklmnopqrstuvwxyz";
  for (let key = 0; key < KEYS; key += 1) {
    await Bun.sleep(30);
    // What is new in the line: the prompt's row is written again from the changed place on.
    const letter = letters[key % letters.length] ?? "a";
    output = "";
    const pressed = performance.now();
    child.terminal?.write(letter);
    delays.push((await sees(letter)) - pressed);
    if (key % 26 === 25) {
      child.terminal?.write("\u0015");
      await Bun.sleep(30);
    }
  }
  clearInterval(chatter);
  delays.sort((a, b) => a - b);
  while (seq < SCROLLBACK - 1) {
    for (let n = 0; n < 500 && seq < SCROLLBACK - 1; n += 1) say(message());
    // Until the client has taken them: a queue here would be measured as time.
    while (waiting.length > 0) await Bun.sleep(1);
  }
  say(message());
  await sees(`message ${SCROLLBACK}`);
  const flooded = memory();
  await Bun.sleep(5_000);
  process.stdout.write(
    `${[
      `first output              ${firstMs.toFixed(0)} ms`,
      `key to screen             ${at(delays, 0.5)} ms median, ${at(delays, 0.95)} ms 95th, ${at(delays, 0.99)} ms 99th (${cols}×${rows}, ${PER_SECOND} messages/s)`,
      `memory, idle              ${idle.toFixed(0)} MiB`,
      `memory, ${SCROLLBACK} messages  ${memory().toFixed(0)} MiB (${flooded.toFixed(0)} right after they came, all at once)`,
    ].join("\n")}\n`,
  );
} finally {
  child.kill();
  await child.exited;
  listener.stop(true);
  rmSync(folder, { recursive: true, force: true });
}
