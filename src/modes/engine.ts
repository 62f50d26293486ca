/**
 * How the JavaScript engine is set for modes that serve.
 *
 * By default its last compiler takes on everything that ran some thousand times: two seconds of CPU in a cluster's first
 * seconds under load, on the cores that the load needs, for code that is hardly faster than the compiler's before
 * (scripts/benchmarks/NOTES.md). Some ten times the patience leaves it what is hot indeed.
 *
 * The engine reads its settings from the environment as it starts, before any of our code runs. A parent sets them for
 * its children. A server that a person starts replaces itself once, under the same process id and with the same
 * arguments, before anything is opened. Where that cannot be done it goes on as it is: nothing but speed depends on it.
 */
import { readyVariable } from "../cli/lifecycle.ts";
import type { Environment } from "../cli/flag.ts";

/** The settings, as variables. What the environment says already is left as it is. */
export const engineVariables: Readonly<Record<string, string>> = {
  BUN_JSC_thresholdForFTLOptimizeAfterWarmUp: "1000000",
  BUN_JSC_thresholdForFTLOptimizeSoon: "10000",
};

/** Whether this process could be started again with the settings, and has not been. */
export function needsEngineVariables(environment: Environment): boolean {
  // Whoever waits for the ready line has passed a descriptor that would be closed.
  if (environment[readyVariable] !== undefined) return false;
  return Object.keys(engineVariables).every((name) => environment[name] === undefined);
}

/** In an executable on Unix: starts this process again with the settings, if it needs them. Then it does not return. */
export function tuneEngine(): void {
  const compiled = Bun.main.startsWith("/$bunfs/");
  if (!compiled || process.execve === undefined || !needsEngineVariables(process.env)) return;
  const environment = Object.entries({ ...engineVariables, ...process.env });
  try {
    process.execve(
      process.execPath,
      [process.argv0, ...process.argv.slice(2)],
      Object.fromEntries(
        environment.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
      ),
    );
  } catch {
    // Slower in its first seconds, and otherwise the same.
  }
}
