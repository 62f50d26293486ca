/**
 * Real processes for tests, in a folder of their own, with nothing left behind.
 *
 *     const lab = openLab();                      // at the top of a test file
 *     const server = await lab.start("server", "--port", "0");
 *     const { listen } = await server.ready();    // the ready line: the address really listened on
 *     await server.line(/joined/);                // the next line of output that matches
 *     await server.stop("SIGTERM");
 *
 * A process says that it is ready by one JSON line on the descriptor named in RTCHAT_READY_FD (src/cli/lifecycle.ts), so
 * no test sleeps or guesses a port. Everything waits for conditions, and gives up after the deadline with all the
 * output so far in the message, and what the lab's other processes have complained of last. HOME, XDG_DATA_HOME and TMPDIR are the lab's folder, so that what somebody who was killed
 * leaves goes with it; no RTCHAT_ variable of the caller leaks in.
 */
import { afterAll, setDefaultTimeout } from "bun:test";
import { closeSync, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { family } from "../../scripts/benchmarks/process.ts";
import { rtchatBinary } from "./binary.ts";
import { withDeadline } from "./deadline.ts";
import { TerminalScreen, type TerminalSize } from "./terminal.ts";

/** How a process ended, and all it wrote. */
export interface Ended {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What may differ from one process to the next. */
export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Written to stdin, which then ends. Without it stdin stays open until {@link Running.endInput}. */
  readonly input?: string;
  /** Run this instead of the rtchat binary. */
  readonly command?: readonly string[];
}

/** A process that was started. */
export class Running {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #facts: Promise<string>;
  readonly #ended: Promise<Ended>;
  readonly #watchers = new Set<() => void>();
  readonly #text = { stdout: "", stderr: "" };
  /** Where {@link line} goes on reading, a stream. */
  readonly #read = { stdout: 0, stderr: 0 };
  readonly #others: () => string;
  #over = false;

  /** @param others what else is to be said in the message of a wait that failed */
  constructor(
    command: readonly string[],
    options: StartOptions,
    env: Record<string, string>,
    others: () => string,
  ) {
    this.#others = others;
    this.#child = Bun.spawn([...command], {
      // The fourth entry is the pipe for the ready line; Bun's types know only the first three.
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      env: { ...env, RTCHAT_READY_FD: "3", ...options.env },
    });
    this.#facts = this.#readFacts();
    this.#ended = this.#collect();
    if (options.input !== undefined) {
      this.write(options.input);
      this.endInput();
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** All it wrote so far. */
  get output(): { readonly stdout: string; readonly stderr: string } {
    return this.#text;
  }

  async #readFacts(): Promise<string> {
    const descriptor = this.#child.stdio[3] as unknown;
    if (typeof descriptor !== "number") throw new Error("the ready pipe was not opened");
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of Bun.file(descriptor).stream()) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes("\n")) break;
    }
    // The stream leaves it open.
    closeSync(descriptor);
    return text;
  }

  async #gather(stream: "stdout" | "stderr"): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child[stream]) {
      this.#text[stream] += decoder.decode(chunk, { stream: true });
      for (const watcher of this.#watchers) watcher();
    }
  }

  async #collect(): Promise<Ended> {
    await Promise.all([this.#gather("stdout"), this.#gather("stderr"), this.#child.exited]);
    this.#over = true;
    for (const watcher of this.#watchers) watcher();
    return {
      code: this.#child.exitCode,
      signal: this.#child.signalCode === null ? null : String(this.#child.signalCode),
      ...this.#text,
    };
  }

  #describe(what: string): string {
    const { stdout, stderr } = this.#text;
    return `${what} of process ${this.pid}\n--- stdout\n${stdout}--- stderr\n${stderr}---\n${this.#others()}`;
  }

  /** The facts of its ready line. Rejects if it ended without one. */
  async ready(): Promise<Record<string, string>> {
    const text = await withDeadline(this.#facts, () => this.#describe("the ready line"));
    if (text === "") {
      await this.#ended;
      throw new Error(this.#describe("no ready line"));
    }
    const facts: unknown = JSON.parse(text);
    return Object.fromEntries(Object.entries(Object(facts)).map(([key, value]) => [key, String(value)]));
  }

  /** Resolves as soon as `look` gives something; looked at again after each output and at the end. */
  async #until<T>(look: () => T | undefined, what: string): Promise<T> {
    const found = Promise.withResolvers<T>();
    const watcher = () => {
      const value = look();
      if (value !== undefined) found.resolve(value);
      else if (this.#over) found.reject(new Error(`ended before ${this.#describe(what)}`));
    };
    this.#watchers.add(watcher);
    try {
      watcher();
      return await withDeadline(found.promise, () => this.#describe(what));
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** The next complete line of a stream that matches; lines before it are passed over, and not looked at again. */
  line(pattern: RegExp, stream: "stdout" | "stderr" = "stdout"): Promise<string> {
    return this.#until(() => {
      for (;;) {
        const end = this.#text[stream].indexOf("\n", this.#read[stream]);
        if (end === -1) return undefined;
        const line = this.#text[stream].slice(this.#read[stream], end);
        this.#read[stream] = end + 1;
        if (pattern.test(line)) return line;
      }
    }, `a line ${pattern} on ${stream}`);
  }

  write(text: string): void {
    void this.#child.stdin.write(text);
    void this.#child.stdin.flush();
  }

  endInput(): void {
    void this.#child.stdin.end();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when it has ended by itself. */
  ended(): Promise<Ended> {
    return withDeadline(this.#ended, () => this.#describe("the end"));
  }

  /** Sends a signal and waits for the end. */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    this.kill(signal);
    return this.ended();
  }

  /** For cleaning up: ends it and what it has started, whatever they do, and waits. */
  async destroy(): Promise<void> {
    if (!this.#over) {
      const all = existsSync("/proc") ? family(this.pid) : [this.pid];
      for (const pid of all) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has ended meanwhile.
        }
      }
    }
    await this.#ended;
  }
}

/** A folder and the processes of one test file. */
export class Lab {
  readonly #cleanups: (() => Promise<void>)[] = [];
  readonly #running: Running[] = [];
  #folder: Promise<string> | undefined;

  /** A folder of the lab's own, removed at the end. */
  folder(): Promise<string> {
    return (this.#folder ??= mkdtemp(join(tmpdir(), "rtchat-lab-")));
  }

  /** The environment processes of this lab start with. */
  async environment(): Promise<Record<string, string>> {
    const folder = await this.folder();
    const kept = ["PATH", "LANG", "TZ"].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    const places = { HOME: folder, XDG_DATA_HOME: folder, TMPDIR: folder };
    return { ...Object.fromEntries(kept), ...places, USER: "tester" };
  }

  /** Starts `rtchat` with these arguments. */
  async start(...args: readonly string[]): Promise<Running> {
    return this.startWith({}, ...args);
  }

  /** Starts `rtchat`, or the command of the options, with these arguments. */
  async startWith(options: StartOptions, ...args: readonly string[]): Promise<Running> {
    const command = options.command ?? [await rtchatBinary()];
    const others = (): string =>
      this.#running.flatMap((one) => (one === running ? [] : [complaintsOf(one)])).join("");
    const env = await this.environment();
    const running: Running = new Running([...command, ...args], options, env, others);
    this.#running.push(running);
    this.#cleanups.push(() => running.destroy());
    return running;
  }

  /** Runs `rtchat` to its end with nothing on stdin. */
  async run(...args: readonly string[]): Promise<Ended> {
    return (await this.startWith({ input: "" }, ...args)).ended();
  }

  /** Starts `rtchat` on a pseudo-terminal. */
  async terminal(size: TerminalSize, ...args: readonly string[]): Promise<TerminalScreen> {
    return this.terminalWith({}, size, ...args);
  }

  /** Starts `rtchat`, or the command of the options, on a pseudo-terminal. */
  async terminalWith(
    options: Omit<StartOptions, "input">,
    size: TerminalSize,
    ...args: readonly string[]
  ): Promise<TerminalScreen> {
    const command = options.command ?? [await rtchatBinary()];
    const environment = { ...(await this.environment()), ...options.env };
    const screen = new TerminalScreen([...command, ...args], size, environment);
    this.#cleanups.push(() => screen.destroy());
    return screen;
  }

  /** Also done at the end, last registered first. */
  onClose(cleanup: () => Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.toReversed()) await cleanup();
    if (this.#folder !== undefined) await rm(await this.#folder, { recursive: true, force: true });
  }
}

/** The last lines that a process wrote to its log. */
function complaintsOf({ pid, output }: Running): string {
  const lines = output.stderr.split("\n").slice(-13, -1);
  return lines.map((line) => `process ${pid}: ${line}\n`).join("");
}

/** A lab that closes when the test file is done. Call it at the top of the file. */
export function openLab(): Lab {
  // Above every deadline of a wait, so that it is the wait that fails, saying what it waited for.
  setDefaultTimeout(60_000);
  const lab = new Lab();
  afterAll(() => lab.close());
  return lab;
}
