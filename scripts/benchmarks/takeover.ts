/**
 * How long nobody is answered when the keeper's process is killed under load.
 *
 *   bun scripts/benchmarks/takeover.ts [--rounds 50] [--window 50] [--log MESSAGES]
 *
 * Three servers publish without pause; each round kills the one that is keeper (kill -9), takes the longest time the
 * survivors were without an answer, and starts a server in its place. `--log` fills the log first.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "50" },
    window: { type: "string", default: "50" },
    log: { type: "string", default: "0" },
  },
});

const directory = mkdtempSync(join(tmpdir(), "rtchat-bench-"));
const main = join(import.meta.dir, "../../tests/backplane/keeper-main.ts");
let born = 0;

/** One server process; resolves lines as they come. */
class Server {
  readonly #child;
  readonly #lines: string[] = [];
  #wake = (): void => {};
  keeper = false;

  constructor() {
    born += 1;
    this.#child = Bun.spawn(
      ["bun", main, directory, "quietly", "flood", "lobby", `s${born}`, values.window],
      {
        stdio: ["pipe", "pipe", "inherit"],
        env: { ...process.env, RTCHAT_READY_FD: "2" },
      },
    );
    void this.#read();
  }

  async #read(): Promise<void> {
    let held = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) {
      const parts = (held + decoder.decode(chunk, { stream: true })).split("\n");
      held = parts.pop() ?? "";
      for (const line of parts) {
        if (line.startsWith("elected")) this.keeper = true;
        this.#lines.push(line);
      }
      this.#wake();
    }
  }

  async line(start: string): Promise<string> {
    for (;;) {
      const index = this.#lines.findIndex((line) => line.startsWith(start));
      if (index !== -1) return this.#lines.splice(0, index + 1).at(-1) ?? "";
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  /** The longest time without an answer since this was asked last, ms. */
  async pause(): Promise<number> {
    void this.#child.stdin.write("pause\n");
    void this.#child.stdin.flush();
    return Number((await this.line("pause ")).split(" ")[1]);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

const servers: Server[] = [];
for (let index = 0; index < 3; index += 1) {
  const server = new Server();
  servers.push(server);
  await server.line("health ok");
}
if (Number(values.log) > 0) await Bun.sleep(Number(values.log) / 20);

const pauses: number[] = [];
for (let round = 0; round < Number(values.rounds); round += 1) {
  await Bun.sleep(300);
  const keeper = servers.find((server) => server.keeper);
  if (keeper === undefined) throw new Error("no server is keeper");
  const survivors = servers.filter((server) => server !== keeper);
  for (const server of survivors) await server.pause();
  keeper.kill();
  for (const server of survivors) await server.line("health ok");
  await Bun.sleep(200);
  for (const server of survivors) pauses.push(await server.pause());
  servers.splice(servers.indexOf(keeper), 1);
  const next = new Server();
  servers.push(next);
  await next.line("health ok");
}
for (const server of servers) server.kill();
pauses.sort((a, b) => a - b);
const quantile = (q: number): string =>
  (pauses[Math.min(pauses.length - 1, Math.floor(pauses.length * q))] ?? 0).toFixed(0);
console.log(
  `${pauses.length} pauses, ms: p50 ${quantile(0.5)}, p90 ${quantile(0.9)}, p99 ${quantile(0.99)}, longest ${quantile(1)}`,
);
rmSync(directory, { recursive: true, force: true });
