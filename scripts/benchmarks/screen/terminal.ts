/** The client on a pseudo-terminal, watched byte by byte. */
import { readFileSync } from "node:fs";
import { cleanEnvironment, keep, makeFolder, removeFolder } from "../process.ts";

/** Of the output only the end is searched. */
const KEPT = 40_000;
const GIVE_UP_MS = 20_000;

export class WatchedClient {
  readonly #child: Bun.Subprocess;
  readonly #folder = makeFolder("screen");
  readonly #decoder = new TextDecoder();
  #output = "";
  #watch: (() => void) | undefined;
  /** Bytes written to the terminal so far. */
  written = 0;

  constructor(binary: string, port: number, cols: number, rows: number) {
    const env = { ...cleanEnvironment(), HOME: this.#folder, XDG_STATE_HOME: this.#folder };
    this.#child = keep(
      Bun.spawn([binary, "client", "--connect", `127.0.0.1:${port}`, "--nick", "bench"], {
        env: { ...env, TERM: "xterm-256color", LC_ALL: "C.UTF-8" },
        terminal: {
          cols,
          rows,
          data: (_, bytes) => {
            this.written += bytes.length;
            this.#output = (this.#output + this.#decoder.decode(bytes, { stream: true })).slice(-KEPT);
            this.#watch?.();
          },
        },
      }),
    );
  }

  get pid(): number {
    return this.#child.pid;
  }

  type(keys: string): void {
    this.#child.terminal?.write(keys);
  }

  /** What was written so far is not searched any more. */
  forget(): void {
    this.#output = "";
  }

  /** Resolves with the time at which the text has been written to the terminal. */
  async sees(text: string): Promise<number> {
    const found = Promise.withResolvers<number>();
    const late = setTimeout(
      () => found.reject(new Error(`the screen did not show ${JSON.stringify(text)}`)),
      GIVE_UP_MS,
    );
    this.#watch = () => {
      if (this.#output.includes(text)) found.resolve(performance.now());
    };
    try {
      this.#watch();
      return await found.promise;
    } finally {
      clearTimeout(late);
      this.#watch = undefined;
    }
  }

  /** Everything resident, bytes: the executable's own pages too, though others may share them. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1_024;
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    removeFolder(this.#folder);
  }
}
