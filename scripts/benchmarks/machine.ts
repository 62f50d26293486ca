/** Where and with what was measured, for the record. */
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

/** The machine and the versions of everything that took part. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** Load average of the last minute when the bench began: above the bench's own, others disturb it. */
  readonly loadBefore: number;
  readonly versions: Readonly<Record<string, string>>;
}

const asked: readonly (readonly [string, ...string[]])[] = [
  ["haproxy", "-v"],
  ["nats-server", "--version"],
  ["inspircd", "--version"],
  ["redis-server", "--version"],
  ["nginx", "-v"],
  ["python3", "--version"],
];

/** The first thing in a program's answer that looks like a version. */
function versionOf(command: readonly string[]): string {
  const [program = ""] = command;
  if (Bun.which(program) === null) return "not installed";
  const { stdout, stderr } = Bun.spawnSync([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  return /\d+\.\d+[^\s;,]*/.exec(`${stdout.toString()}\n${stderr.toString()}`)?.[0] ?? "unknown";
}

/** Asks all of them. */
export function describeMachine(binary: string): Machine {
  const versions: Record<string, string> = { rtchat: versionOf([binary, "--version"]), bun: Bun.version };
  for (const command of asked) versions[command[0]] = versionOf(command);
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1_073_741_824),
    kernel: release(),
    loadBefore: loadavg()[0] ?? 0,
    versions,
  };
}

/** The same for a person. */
export function machineText({ processor, cores, memoryGiB, kernel, loadBefore, versions }: Machine): string {
  const all = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${processor} × ${cores}, ${memoryGiB} GiB, Linux ${kernel}, load average before ${loadBefore.toFixed(2)}`,
    all.join(", "),
  ].join("\n");
}
