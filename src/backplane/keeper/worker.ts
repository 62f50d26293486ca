/**
 * The keeper's thread: runs for office when told to, keeps the log while it is elected, and reports.
 *
 * In a thread of its own, so that a commit, an fsync or a full disk never hold up the clients of the server that happens
 * to be the keeper. It speaks with its server only about the office; the work comes over the socket, from all servers
 * alike.
 */
import { systemClock } from "../../protocol/clock.ts";
import type { LogFields, Logger } from "../../protocol/logger.ts";
import { problemOf, TermLost } from "./problem.ts";
import type { ProblemKind } from "./problem.ts";
import { Tenure } from "./tenure.ts";
import type { TenureSettings } from "./tenure.ts";

/** What the thread is told. */
export type ToKeeper =
  | { readonly kind: "run"; readonly settings: TenureSettings; readonly seenTerm: number }
  | { readonly kind: "stop" | "abort" };

/** What the thread says. */
export type FromKeeper =
  | { readonly kind: "elected"; readonly term: number }
  | { readonly kind: "lost"; readonly inOffice: boolean }
  | { readonly kind: "problem"; readonly problem: ProblemKind; readonly message: string }
  | { readonly kind: "ended"; readonly message: string }
  | { readonly kind: "stopped" }
  | {
      readonly kind: "log";
      readonly level: keyof Logger;
      readonly message: string;
      readonly fields: LogFields | undefined;
    };

declare const self: Worker;

const say = (message: FromKeeper): void => self.postMessage(message);
const logAt =
  (level: keyof Logger) =>
  (message: string, fields?: LogFields): void =>
    say({ kind: "log", level, message, fields });
const log: Logger = {
  debug: logAt("debug"),
  info: logAt("info"),
  warn: logAt("warn"),
  error: logAt("error"),
};

let tenure: Tenure | undefined;

function run(settings: TenureSettings, seenTerm: number): void {
  // Still in office: whoever asks has lost touch, and will find this keeper by the file.
  if (tenure !== undefined) return say({ kind: "lost", inOffice: true });
  try {
    const outcome = Tenure.run(settings, seenTerm, systemClock, log, (reason) => {
      tenure = undefined;
      if (reason instanceof TermLost) log.warn("another server has been elected keeper; this one steps down");
      say({ kind: "ended", message: reason.message });
    });
    if (!outcome.won) return say({ kind: "lost", inOffice: false });
    tenure = outcome.tenure;
    say({ kind: "elected", term: tenure.term });
  } catch (error) {
    const problem = problemOf(error, settings.file);
    say({ kind: "problem", problem: problem.kind, message: problem.message });
  }
}

self.addEventListener("message", (event: MessageEvent<ToKeeper>) => {
  if (event.data.kind === "run") return run(event.data.settings, event.data.seenTerm);
  if (event.data.kind === "stop") tenure?.stop();
  else tenure?.abort();
  tenure = undefined;
  say({ kind: "stopped" });
});
