/**
 * Starting to serve, and stopping.
 *
 * A mode that runs until it is told to stop says when it is ready and waits for the first reason to stop: SIGINT
 * (Ctrl-C), SIGTERM, SIGHUP (its terminal went away; without one it is what the mode makes of it), or, started by `rtchat
 * up`, the end of stdin, which means that the parent is gone, even if it was killed with -9. Then it drains. A second signal
 * exits at once.
 * SIGUSR2 asks a mode that can to renew itself: to go on with the executable and the settings as they are now.
 *
 * Readiness is told in two ways: a line in the log for people, and for whoever started the process (`rtchat up`, the
 * tests) one JSON line on the file descriptor named by RTCHAT_READY_FD, with the addresses really listened on.
 */
import { closeSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { exitCodes } from "./errors.ts";
import type { Environment } from "./flag.ts";

/** Why a mode was asked to stop. */
export type StopReason = "SIGINT" | "SIGTERM" | "SIGHUP" | "parent gone";

/** What a mode tells when it is ready: names with addresses or other facts, such as `{ listen: "127.0.0.1:8001" }`. */
export type ReadyFacts = Readonly<Record<string, string | number>>;

/** The variable that names the descriptor for the ready line. */
export const readyVariable = "RTCHAT_READY_FD";
/** Set by a supervisor: watch stdin, and leave Ctrl-C, which reaches the whole process group, to the supervisor. */
export const supervisedVariable = "RTCHAT_SUPERVISED";

/** Exit codes of shells for a process that a signal ended: 128 + its number. */
const signalExitCodes: Readonly<Record<string, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** What the end of stdin means by now to a process that a supervisor started. */
let parentGone = (): void => process.exit(exitCodes.failure);

/**
 * Watches for the end of the supervisor, if there is one, from the first moment: a process that is still starting ends at
 * once then, as by a signal. Whatever keeps it from being ready may do so for ever, and nobody would know of it.
 */
export function watchParent(environment: Environment): void {
  if (environment[supervisedVariable] !== "1") return;
  for (const event of ["end", "error"]) process.stdin.on(event, () => parentGone());
  process.stdin.resume();
}

/** What signals mean to a mode that serves, instead of its end. */
export interface SignalActions {
  /** SIGHUP, unless this process has a terminal that can go away. */
  readonly reload?: () => void;
  /** SIGUSR2, which otherwise means nothing. */
  readonly renew?: () => void;
}

/**
 * Resolves with the first reason to stop; from then on a further signal exits the process at once.
 * @param actions what other signals mean by now
 */
export function waitForStop(environment: Environment, actions: () => SignalActions): Promise<StopReason> {
  const supervised = environment[supervisedVariable] === "1";
  // Asked now: a terminal that went away is none any more when its signal comes.
  const hasTerminal = isatty(0);
  return new Promise((resolve) => {
    let asked = false;
    const ask = (reason: StopReason) => {
      if (asked && reason !== "parent gone") process.exit(signalExitCodes[reason] ?? 1);
      asked = true;
      resolve(reason);
    };
    process.on("SIGTERM", () => ask("SIGTERM"));
    for (const signal of ["SIGINT", "SIGHUP"] as const) {
      process.on(signal, () => {
        const reload = signal === "SIGHUP" && !hasTerminal ? actions().reload : undefined;
        if (reload !== undefined) reload();
        else if (!supervised) ask(signal);
      });
    }
    process.on("SIGUSR2", () => {
      if (!asked) actions().renew?.();
    });
    parentGone = () => ask("parent gone");
  });
}

/** Writes the ready line, if somebody waits for it. Does nothing otherwise. */
export function announceReady(mode: string, facts: ReadyFacts, environment: Environment): void {
  const descriptor = Number(environment[readyVariable]);
  if (!Number.isInteger(descriptor) || descriptor < 3) return;
  writeSync(descriptor, `${JSON.stringify({ mode, pid: process.pid, ...facts })}\n`);
  closeSync(descriptor);
}
