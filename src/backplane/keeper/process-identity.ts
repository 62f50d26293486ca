/**
 * Which process is it, for certain.
 *
 * A process ID alone is reused; together with its start time, the machine's boot and the process namespace it names one
 * process for ever. The keeper's row in the log file carries this, for two decisions: whether the machine has been
 * rebooted since (the tail of the log may be gone), and whether the process that holds the write lock may be killed
 * because it is stopped and provably the keeper's. Known on Linux only; elsewhere nobody is ever killed.
 */
import { readFileSync, readlinkSync } from "node:fs";

/** One process of one boot. Empty strings where the system does not tell. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start, as the kernel counts. */
  readonly started: string;
  readonly boot: string;
  readonly namespace: string;
}

/** What is known of a process: `stopped` by a signal or debugger, `other` if it cannot be told. */
export type ProcessState = "running" | "stopped" | "gone" | "other";

/** State letter and start time of /proc/PID/stat. The name in parentheses may hold anything, so count from its end. */
function readStat(pid: number | "self"): { state: string; started: string } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", started: fields[19] ?? "" };
}

let own: ProcessIdentity | undefined;

/** The process this runs in (for a worker thread: the process it belongs to). */
export function ownIdentity(): ProcessIdentity {
  own ??= readOwn();
  return own;
}

function readOwn(): ProcessIdentity {
  try {
    return {
      pid: process.pid,
      started: readStat("self").started,
      boot: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
      namespace: readlinkSync("/proc/self/ns/pid"),
    };
  } catch {
    return { pid: process.pid, started: "", boot: "", namespace: "" };
  }
}

/** What a process is doing, if it is one of this boot and namespace that we can see. */
export function stateOf(identity: ProcessIdentity): ProcessState {
  const { boot, namespace } = ownIdentity();
  if (boot === "" || identity.boot !== boot || identity.namespace !== namespace) return "other";
  try {
    const { state, started } = readStat(identity.pid);
    if (started !== identity.started || state === "Z" || state === "X") return "gone";
    return state === "T" || state === "t" ? "stopped" : "running";
  } catch {
    return "gone";
  }
}

/**
 * Kills a process if it is certainly the one meant, and stopped.
 * @returns whether it was killed
 */
export function killStopped(identity: ProcessIdentity): boolean {
  if (identity.pid === process.pid || stateOf(identity) !== "stopped") return false;
  try {
    process.kill(identity.pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}
