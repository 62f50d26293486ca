/**
 * Networks for tests: namespaces with virtual cables between them, made by the test and gone after it. Nothing is ever
 * put on the machine's own interfaces: both ends of every cable are created inside namespaces.
 */
import { findService } from "../support/services.ts";

/** Whether this machine lets us make namespaces (root, and `ip` installed). Otherwise tests that need them are skipped. */
export const canMakeNetworks = mayMakeNetworks();

function mayMakeNetworks(): boolean {
  const ip = findService("ip");
  if (ip === undefined) return false;
  const name = `rtc-try-${process.pid}`;
  const tried = Bun.spawnSync([ip, "netns", "add", name]);
  if (tried.exitCode === 0) Bun.spawnSync([ip, "netns", "del", name]);
  else console.warn("tests skipped: network namespaces need root");
  return tried.exitCode === 0;
}

function run(...command: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...command]);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
}

/** Two places with one cable between them. */
export class Cable {
  /** Names of the namespaces. */
  readonly ends: readonly [string, string];
  /** Addresses of the two ends. */
  readonly addresses = ["10.77.0.1", "10.77.0.2"] as const;
  readonly #broadcast = "10.77.0.255";

  constructor() {
    const name = `rtc${process.pid}${Math.random().toString(36).slice(2, 5)}`;
    this.ends = [`${name}a`, `${name}b`];
    for (const end of this.ends) run("ip", "netns", "add", end);
    run(
      "ip",
      "link",
      "add",
      "cable",
      "netns",
      this.ends[0],
      "type",
      "veth",
      "peer",
      "name",
      "cable",
      "netns",
      this.ends[1],
    );
    for (const [index, end] of this.ends.entries()) {
      run(
        "ip",
        "-n",
        end,
        "addr",
        "add",
        `${this.addresses[index]}/24`,
        "broadcast",
        this.#broadcast,
        "dev",
        "cable",
      );
      for (const device of ["lo", "cable"]) run("ip", "-n", end, "link", "set", device, "up");
    }
  }

  /** The command that runs a program at one end. */
  at(end: 0 | 1): readonly string[] {
    return ["ip", "netns", "exec", this.ends[end]];
  }

  /** Gives an end another address. */
  renumber(end: 0 | 1, address: string): void {
    const namespace = this.ends[end];
    run("ip", "-n", namespace, "addr", "flush", "dev", "cable");
    run("ip", "-n", namespace, "addr", "add", `${address}/24`, "broadcast", this.#broadcast, "dev", "cable");
  }

  /** Pulls the cable, and lets both sides notice at once where the kernel can (otherwise they notice by silence). */
  cut(): void {
    run("ip", "-n", this.ends[0], "link", "set", "cable", "down");
    for (const [index, end] of this.ends.entries()) {
      const other = this.addresses[1 - index] ?? "";
      Bun.spawnSync(["ip", "netns", "exec", end, "ss", "-K", "dst", other]);
    }
  }

  /** Puts it back. */
  mend(): void {
    run("ip", "-n", this.ends[0], "link", "set", "cable", "up");
  }

  remove(): void {
    for (const end of this.ends) Bun.spawnSync(["ip", "netns", "del", end]);
  }
}
