/**
 * File descriptors: how many there may be, and how many are left.
 *
 * Two traps make this worth a file. Accepting with none left spins a processor, because the kernel keeps saying that
 * somebody waits; so listeners refuse while there are still some. And Bun has reported a dial that found none left as
 * "connection refused", which would blame a healthy backend; so a failed dial looks here before it blames anybody.
 */
import { readdirSync, readFileSync } from "node:fs";
import { netLimits } from "../protocol/limits.ts";

/** What getrlimit(RLIMIT_NOFILE) is on systems that do not tell it in a file: the default of current macOS shells. */
const ASSUMED_LIMIT = 10_240;

let connections = 0;
let limit: number | undefined;

/** Counts one more connection of this process. */
export function connectionOpened(): void {
  connections += 1;
}

/** Counts one connection less. */
export function connectionClosed(): void {
  connections -= 1;
}

/** Connections open in this process, over all listeners and dials. */
export function connectionsOpen(): number {
  return connections;
}

/** The soft RLIMIT_NOFILE of this process, read once; Infinity where there is no such thing. */
export function descriptorLimit(): number {
  limit ??= readLimit();
  return limit;
}

function readLimit(): number {
  if (process.platform === "win32") return Infinity;
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    if (line?.[1] === "unlimited") return Infinity;
    return line?.[1] === undefined ? ASSUMED_LIMIT : Number(line[1]);
  } catch {
    return ASSUMED_LIMIT;
  }
}

/** True if this process has more connections than it can have descriptors, the head-room not counted. */
export function connectionsExhausted(headroom: number = netLimits.descriptorHeadroom): boolean {
  return connections > descriptorLimit() - headroom;
}

/** True if there is, right now, no free descriptor, whatever uses them. Slow: for after a failure. */
export function descriptorsExhausted(): boolean {
  try {
    // Reading the directory needs a descriptor itself: with none left it throws EMFILE.
    readdirSync(process.platform === "linux" ? "/proc/self/fd" : "/dev/fd");
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && (error.code === "EMFILE" || error.code === "ENFILE");
  }
}
