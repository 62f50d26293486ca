/**
 * Children of `rtchat up` as real processes.
 *
 * A child is this same executable. It is told by RTCHAT_SUPERVISED to stop when its stdin ends, so that none outlives a
 * parent that was killed with -9, and to leave Ctrl-C to the parent; by RTCHAT_READY_FD where to say that it is ready.
 * Its flags are given one by one; no other RTCHAT_ variable of the parent reaches it, because one meant for `up`
 * (RTCHAT_PORT) would mean something else there.
 */
import { closeSync } from "node:fs";
import { z } from "zod";
import type { Environment } from "../../cli/flag.ts";
import { type ReadyFacts, readyVariable, supervisedVariable } from "../../cli/lifecycle.ts";
import { superviseLimits } from "../../protocol/limits.ts";
import { eachLogLine } from "./log-lines.ts";
import type { Child, ExitStatus } from "./supervisor.ts";

const factsSchema = z.record(z.string(), z.union([z.string(), z.number()]));

/** The command that runs this very program again: the executable, and in development its script. */
export function ownCommand(): readonly string[] {
  const compiled = Bun.main.startsWith("/$bunfs/") || Bun.main.includes("~BUN");
  return compiled ? [process.execPath] : [process.execPath, Bun.main];
}

/** The parent's environment without its RTCHAT_ variables, and with what a child must know. */
export function childEnvironment(parent: Environment, colour: boolean): Record<string, string> {
  const kept = Object.entries(parent).flatMap(([name, value]) =>
    value === undefined || name.startsWith("RTCHAT_") ? [] : [[name, value] as const],
  );
  const told = { [readyVariable]: "3", [supervisedVariable]: "1", ...(colour ? { FORCE_COLOR: "1" } : {}) };
  return { ...Object.fromEntries(kept), ...told };
}

/** Reads the ready line, and nothing after it. */
async function readFacts(descriptor: number): Promise<ReadyFacts | undefined> {
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const chunk of Bun.file(descriptor).stream()) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes("\n") || text.length > superviseLimits.logLineBytes) break;
    }
    return factsSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Starts a process.
 * @param line called with each line it writes, to stdout or stderr; awaited before more is read
 * @throws Error if the command cannot be started at all
 */
export function spawnChild(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  line: (text: string) => void | Promise<void>,
): Child {
  const child = Bun.spawn([...command], {
    // The fourth entry is the pipe for the ready line; stdin is held open until this process ends.
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    env: environment,
  });
  const descriptor: unknown = child.stdio[3];
  if (typeof descriptor !== "number") throw new Error("no pipe for the ready line");
  const output = Promise.all([eachLogLine(child.stdout, line), eachLogLine(child.stderr, line)]);
  const exited = async (): Promise<ExitStatus> => {
    await child.exited;
    // Its last words come before the news of its end.
    await output;
    void child.stdin.end();
    return { code: child.exitCode, signal: child.signalCode === null ? null : String(child.signalCode) };
  };
  return {
    pid: child.pid,
    ready: readFacts(descriptor),
    exited: exited(),
    kill: (signal) => child.kill(signal),
  };
}
