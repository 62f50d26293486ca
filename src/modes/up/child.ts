/**
 * Children of `rtchat up` as real processes.
 *
 * A child is this same executable. It is told by RTCHAT_SUPERVISED to stop when its stdin ends, so that none outlives a
 * parent that was killed with -9, and to leave Ctrl-C to the parent; by RTCHAT_READY_FD where to say that it is ready.
 *
 * What `up` decides for a child (ports, names, folders) are its arguments. Everything else of the child's own table is
 * handed on as a variable, so that a secret shows in no process list: from the flag of that name where `up` has one, else
 * from the same variable of the parent, else from the file of settings. A child does not read that file itself: what means
 * something else there (a port, the address that people connect to) never gets through, in a variable or in a file.
 */
import { closeSync } from "node:fs";
import { devNull } from "node:os";
import { z } from "zod";
import { type Environment, flagName, type Flags, variableName } from "../../cli/flag.ts";
import { type ReadyFacts, readyVariable, supervisedVariable } from "../../cli/lifecycle.ts";
import { type Settings, settingsVariable } from "../../cli/settings.ts";
import { superviseLimits } from "../../protocol/limits.ts";
import { engineVariables } from "../engine.ts";
import { eachLogLine } from "./log-lines.ts";
import type { Child, ExitStatus } from "./supervisor.ts";

const factsSchema = z.record(z.string(), z.union([z.string(), z.number()]));

/** Read now: once another file stands there, Linux calls the one that runs `… (deleted)`. */
const executable = process.execPath.replace(/ \(deleted\)$/, "");

/** The command that runs this program again, as it stands there by then: the executable, and in development its script. */
export function ownCommand(): readonly string[] {
  const compiled = Bun.main.startsWith("/$bunfs/") || Bun.main.includes("~BUN");
  return compiled ? [executable] : [executable, Bun.main];
}

/** Where the variables of a child come from. */
export interface HandedOn {
  /** The child's mode and its table. */
  readonly mode: string;
  readonly table: Flags;
  readonly settings: Pick<Settings, "flag">;
  /** Keys of it that are decided by arguments, or must stay at their fallbacks. */
  readonly decided: readonly string[];
  /** The table of `up`, and what a person wrote for it. */
  readonly own: Flags;
  readonly written: ReadonlyMap<string, string>;
}

/** The variables handed on to a child. */
export function handOn(parent: Environment, from: HandedOn): Record<string, string> {
  const keys = Object.keys(from.table).filter((key) => !from.decided.includes(key));
  const entries = keys.flatMap((key) => {
    const variable = variableName(key);
    const said = Object.hasOwn(from.own, key) ? from.written.get(key) : parent[variable] || undefined;
    const text = said ?? from.settings.flag(from.mode, flagName(key))?.text ?? "";
    return text === "" ? [] : [[variable, text] as const];
  });
  return { ...Object.fromEntries(entries), [settingsVariable]: devNull };
}

/**
 * A child's environment: the parent's without its RTCHAT_ variables, with those handed on, with what makes it a child,
 * and with the engine's settings.
 */
export function childEnvironment(
  parent: Environment,
  handedOn: Readonly<Record<string, string>>,
  colour: boolean,
): Record<string, string> {
  const kept = Object.entries(parent).flatMap(([name, value]) =>
    value === undefined || name.startsWith("RTCHAT_") ? [] : [[name, value] as const],
  );
  const told = { [readyVariable]: "3", [supervisedVariable]: "1", ...(colour ? { FORCE_COLOR: "1" } : {}) };
  return { ...engineVariables, ...Object.fromEntries(kept), ...handedOn, ...told };
}

/** Where a child finds the first of the descriptors that it inherits: after its streams and the pipe for the ready line. */
export const firstInherited = 4;

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
 * @param inherited descriptors that it gets too, from {@link firstInherited} on
 * @throws Error if the command cannot be started at all
 */
export function spawnChild(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  line: (text: string) => void | Promise<void>,
  inherited: readonly number[] = [],
): Child {
  const child = Bun.spawn([...command], {
    // The fourth entry is the pipe for the ready line; stdin is held open until this process ends.
    stdio: ["pipe", "pipe", "pipe", "pipe", ...inherited],
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
