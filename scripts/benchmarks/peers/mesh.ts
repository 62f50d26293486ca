/**
 * A mesh of real processes: how long until everybody is linked with everybody, what a message costs all of them together,
 * and what goes over the links when nobody says anything.
 *
 * Traffic is what the kernel counted on the listening side of each link (`ss -ti`), both directions, without TCP's and IP's
 * own headers: bytes of TLS.
 */
import { join } from "node:path";
import type { Figures } from "../figures.ts";
import { cpuMs } from "../process.ts";
import { peerCommand, portOf } from "./pair.ts";
import { Talker } from "./talker.ts";

const GIVE_UP_MS = 300_000;

/** How large, and how long to look. */
export interface MeshPlan {
  readonly peers: number;
  readonly messages: number;
  /** Without `idleMs` idle traffic is not measured: it needs the better part of a minute to mean anything. */
  readonly idleMs: number | undefined;
}

/** One peer, and to whom it says that it is linked. */
class Member {
  readonly talker: Talker;
  readonly links = new Set<string>();
  heard = 0;

  constructor(command: readonly string[], home: string, changed: () => void) {
    this.talker = new Talker(command, home, (line) => {
      if (line.startsWith('{"type":"linked"')) this.links.add((JSON.parse(line) as { peer: string }).peer);
      else if (line.startsWith('{"type":"unlinked"'))
        this.links.delete((JSON.parse(line) as { peer: string }).peer);
      else if (line.startsWith('{"type":"message"')) this.heard += 1;
      else return;
      changed();
    });
  }
}

/** Bytes so far on the established links of these listening ports. */
function trafficOf(ports: ReadonlySet<string>): number {
  const { stdout } = Bun.spawnSync(["ss", "-tinHO", "state", "established"], { stdout: "pipe" });
  let bytes = 0;
  for (const line of stdout.toString().split("\n")) {
    const [, , local = ""] = line.trim().split(/\s+/);
    if (!ports.has(local.slice(local.lastIndexOf(":") + 1))) continue;
    for (const [, count] of line.matchAll(/\bbytes_(?:sent|received):(\d+)/g)) bytes += Number(count);
  }
  return bytes;
}

/** Builds a mesh, measures it and takes it down. */
export async function measureMesh(binary: string, folder: string, plan: MeshPlan): Promise<Figures> {
  const members: Member[] = [];
  let check = (): void => {};
  const reach = async (done: () => boolean, what: () => string): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    check = () => void (done() && resolve());
    const timer = setTimeout(() => reject(new Error(`not reached: ${what()}`)), GIVE_UP_MS);
    check();
    await promise.finally(() => clearTimeout(timer));
  };
  const add = (number: number, connect?: string): Member => {
    const part = { data: join(folder, `peer-${number}`), nick: `p${number}`, listen: "127.0.0.1:0" };
    const command = peerCommand(binary, connect === undefined ? part : { ...part, connect });
    const member = new Member(command, folder, () => check());
    members.push(member);
    return member;
  };
  try {
    const began = performance.now();
    const ports = [await portOf(add(1).talker)];
    const first = `127.0.0.1:${ports[0]}`;
    const others = Array.from({ length: plan.peers - 1 }, (_, at) => portOf(add(at + 2, first).talker));
    ports.push(...(await Promise.all(others)));
    const full = (): boolean => members.every((member) => member.links.size === plan.peers - 1);
    const worst = (): string =>
      `a full mesh of ${plan.peers}; links: ${members.map((m) => m.links.size).join(" ")}`;
    await reach(full, worst);
    const seconds = (performance.now() - began) / 1_000;
    const said = await sayInTurn(members, ports, plan.messages, reach);
    if (plan.idleMs === undefined) return { seconds, ...said };
    const before = trafficOf(new Set(ports.map(String)));
    await Bun.sleep(plan.idleMs);
    const idle = trafficOf(new Set(ports.map(String))) - before;
    return { seconds, ...said, bytesPerMinute: (idle * 60_000) / plan.idleMs };
  } finally {
    await Promise.all(members.map((member) => member.talker.stop()));
  }
}

/** Says messages, a member at a time, each when all others have shown the one before. */
async function sayInTurn(
  members: readonly Member[],
  ports: readonly number[],
  messages: number,
  reach: (done: () => boolean, what: () => string) => Promise<void>,
): Promise<Figures> {
  const pids = members.map((member) => member.talker.pid);
  const listening = new Set(ports.map(String));
  const times: number[] = [];
  const base = members.map((member) => member.heard);
  const [cpu, traffic] = [cpuMs(pids), trafficOf(listening)];
  for (let number = 1; number <= messages; number += 1) {
    const began = performance.now();
    members[number % members.length]?.talker.say(`message ${number}`.padEnd(63, "x"));
    const all = (): boolean => members.every((member, at) => member.heard >= (base[at] ?? 0) + number);
    await reach(all, () => `message ${number} shown by all`);
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  return {
    cpu: ((cpuMs(pids) - cpu) * 1_000) / messages,
    bytesEach: (trafficOf(listening) - traffic) / messages,
    p50: times[Math.floor(times.length / 2)] ?? 0,
  };
}
