/**
 * Tells the npm client that nobody listens to its traces.
 *
 * It wraps every command for `node:diagnostics_channel` unless the channel says that it has no subscribers, and writes all
 * arguments of a script out as text for that. Node.js says so by `hasSubscribers`, which Bun's tracing channels do not
 * have; so they are given it, with Node's meaning.
 */
import { tracingChannel } from "node:diagnostics_channel";
import type { Channel } from "node:diagnostics_channel";

const parts = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;

/** Does nothing where tracing channels say it by themselves. */
export function sayWhoTraces(): void {
  const channels: object = Object.getPrototypeOf(tracingChannel("rtchat")) as object;
  if ("hasSubscribers" in channels) return;
  Object.defineProperty(channels, "hasSubscribers", {
    get(this: Readonly<Record<(typeof parts)[number], Channel>>): boolean {
      return parts.some((part) => this[part].hasSubscribers);
    },
  });
}
