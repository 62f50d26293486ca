/** A child process that is written lines and watched for lines, for peers and for the echo they are compared with. */
import type { Subprocess } from "bun";
import { linesOf } from "../lines.ts";
import { cleanEnvironment, keep } from "../process.ts";

const GIVE_UP_MS = 60_000;

/** One process; `hear` is called with each line of its stdout. */
export class Talker {
  readonly #child: Subprocess<"pipe", "pipe", "pipe">;
  #waiting: { readonly is: (line: string) => boolean; readonly resolve: (line: string) => void } | undefined;

  constructor(command: readonly string[], home: string, hear?: (line: string) => void) {
    const env = { ...cleanEnvironment(), HOME: home, XDG_DATA_HOME: home };
    const stdio = { stdin: "pipe", stdout: "pipe", stderr: "pipe" } as const;
    this.#child = keep(Bun.spawn([...command], { ...stdio, env, cwd: home }));
    void this.#read(hear);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async #read(hear: ((line: string) => void) | undefined): Promise<void> {
    for await (const line of linesOf(this.#child.stdout)) {
      hear?.(line);
      if (this.#waiting?.is(line) !== true) continue;
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve(line);
    }
  }

  say(line: string): void {
    void this.#child.stdin.write(`${line}\n`);
    void this.#child.stdin.flush();
  }

  /** The next line that fits. Rejects when none comes in a minute, or the process ends. */
  async line(is: (line: string) => boolean, what: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiting = { is, resolve };
    const timer = setTimeout(() => reject(new Error(`no ${what} in ${GIVE_UP_MS / 1_000} s`)), GIVE_UP_MS);
    const ended = this.#child.exited.then(async () => {
      const complaint = await this.#child.stderr.text();
      throw new Error(`the process ended before ${what}: ${complaint}`);
    });
    try {
      return await Promise.race([promise, ended]);
    } finally {
      clearTimeout(timer);
      ended.catch(() => {});
    }
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#child.exited;
    clearTimeout(timer);
  }
}
