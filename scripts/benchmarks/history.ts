/**
 * A room of a million messages: joining it, and paging back at random places, measured at a server.
 *
 *   bun scripts/benchmarks/history.ts [messages]
 *
 * The log is filled through the keeper itself, then the compiled binary serves it and a bare client asks. Asked for is
 * less than 10 ms for each; what is printed includes the way over the loopback and the client's own parsing.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeeperBackplane } from "../../src/backplane/keeper/keeper.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { freePort, Program } from "./process.ts";
import { median } from "./statistics.ts";

const BATCH = 5_000;
const PAGES = 500;
const LIMIT_MS = 10;

const messages = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), "rtchat-bench-history-"));
const data = join(folder, "data");

/** Publishes through a keeper of its own, a batch at a time. */
async function fill(): Promise<void> {
  const backplane = new KeeperBackplane({ directory: data, log: silentLogger });
  const ignore = (): void => {};
  await backplane.start({ taken: ignore, told: ignore, health: ignore });
  const encoder = new TextEncoder();
  for (let first = 0; first < messages; first += BATCH) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let left = Math.min(BATCH, messages - first);
    for (let n = first; n < first + BATCH && n < messages; n += 1) {
      const body = encoder.encode(
        `"room":"big","id":"${n}","from":"filler","text":"message number ${n} of many"`,
      );
      backplane.publish({ room: "big", key: `fill/${n}`, body }, (result) => {
        if (!result.ok) reject(new Error(result.message));
        left -= 1;
        if (left === 0) resolve();
      });
    }
    await promise;
  }
  await backplane.stop(true);
}

/** Asks over one connection and gives the time to the answer of a type. */
async function asker(port: number): Promise<(request: object, type: string) => Promise<number>> {
  let held = "";
  let waiting: { type: string; resolve: () => void } | undefined;
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, bytes) {
        const lines = (held + bytes.toString()).split("\n");
        held = lines.pop() ?? "";
        for (const line of lines) {
          const { type } = JSON.parse(line) as { type: string };
          if (type === waiting?.type) waiting.resolve();
        }
      },
    },
  });
  return async (request, type) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting = { type, resolve };
    const began = performance.now();
    socket.write(`${JSON.stringify(request)}\n`);
    await promise;
    return performance.now() - began;
  };
}

const server = async (): Promise<{ program: Program; port: number }> => {
  const port = freePort();
  const binary = process.env["RTCHAT_BIN"] ?? join(import.meta.dir, "../../dist/rtchat");
  const program = new Program("server", [binary, "server", "--port", `${port}`, "--data", data], folder);
  await program.listening(port);
  return { program, port };
};

const say = (text: string): void => void process.stdout.write(`${text}\n`);

try {
  const began = performance.now();
  await fill();
  say(`${messages} messages logged in ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  const { program, port } = await server();
  try {
    const ask = await asker(port);
    await ask({ type: "hello", version: 1, nick: "reader" }, "welcome");
    const joined = await ask({ type: "join", room: "big", history: 50 }, "joined");
    say(`first join with 50 messages: ${joined.toFixed(2)} ms (asked: ${LIMIT_MS})`);
    const pages: number[] = [];
    for (let n = 0; n < PAGES; n += 1) {
      const before = 51 + Math.floor(Math.random() * (messages - 51));
      pages.push(await ask({ type: "history", room: "big", before, limit: 50 }, "history"));
      // Under the limit of requests a second.
      await Bun.sleep(25);
    }
    say(
      `${PAGES} pages of 50 at random places: median ${median(pages).toFixed(2)} ms, most ${Math.max(...pages).toFixed(2)} ms`,
    );
  } finally {
    await program.stop();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
