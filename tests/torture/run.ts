/**
 * One torture run: cluster up, people talking, things breaking, quiet, judgement.
 *
 * The run writes its history as JSON lines while it happens, so that a run that is itself killed can still be judged
 * (`--check`). The log is read at the end by a fresh connection through the ordinary protocol, page by page.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../src/protocol/clock.ts";
import type { Random } from "../../src/protocol/clock.ts";
import { Checker } from "./checker.ts";
import type { RunEvent, Verdict } from "./checker.ts";
import { Witness } from "./client.ts";
import { Cluster } from "./cluster.ts";
import type { Member } from "./cluster.ts";
import { checkCounters } from "./counters.ts";
import { readLog } from "./log.ts";
import type { Options } from "./options.ts";
import { schedule } from "./schedule.ts";
import type { Fault } from "./schedule.ts";

/** Everybody must be in their rooms by then. */
const JOIN_MS = 60_000;
/** Once nobody sends any more, acknowledgements and deliveries must be complete by then. */
const QUIET_MS = 45_000;
const POLL_MS = 50;
/** Waiting for a process to be let go politely. */
const DRAIN_MS = 12_000;
/** Every client is in this many rooms, if there are as many. */
const ROOMS_EACH = 2;

/** Where a run reports progress to a person. */
export type Say = (line: string) => void;

/**
 * Runs once and judges. Rejects when the cluster cannot even be started, or with what `interrupted` rejects; nothing that
 * was started is left in either case.
 */
export async function torture(
  options: Options,
  seed: number,
  binary: string,
  folder: string,
  say: Say,
  interrupted: Promise<never>,
): Promise<Verdict> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "run.json"), `${JSON.stringify({ seed, ...options })}\n`);
  const history = Bun.file(join(folder, "history.jsonl")).writer();
  const checker = new Checker();
  const record = (event: RunEvent): void => {
    void history.write(`${JSON.stringify(event)}\n`);
    checker.take(event);
  };
  const random = seededRandom(seed);
  const cluster = await Cluster.start(options, binary, folder, random, interrupted);
  const began = performance.now();
  const elapsed = (): number => Math.round(performance.now() - began);
  const rooms = Array.from({ length: options.rooms }, (_, n) => `room-${n + 1}`);
  const witnesses = Array.from({ length: options.clients }, (_, number) => {
    const mine = roomsOf(number, rooms);
    return new Witness({ number, rooms: mine, addresses: cluster.doors, random, elapsed, record });
  });
  const run = async (): Promise<void> => {
    for (const witness of witnesses) witness.connect();
    const missing = await until(() => isSteady(witnesses), JOIN_MS);
    if (missing)
      throw new Error(`not everybody could join in ${JOIN_MS / 1000} s; the logs are in ${folder}`);
    say(`${options.clients} clients in ${options.rooms} rooms after ${elapsed()} ms, seed ${seed}`);
    record({ e: "steady", t: elapsed() });
    await talk(options, cluster, witnesses, random, elapsed, record, say);
    const quiet = !(await until(() => witnesses.every((witness) => witness.unacked === 0), QUIET_MS));
    if (!quiet) say("some messages were never acknowledged");
    record({ e: "calm", t: elapsed() });
    const lastSeq = await readLog(cluster.doors, rooms, record);
    await until(() => checker.behind(lastSeq) === 0, QUIET_MS);
    await checkCounters(cluster.admins);
  };
  try {
    await Promise.race([run(), interrupted]);
  } finally {
    for (const witness of witnesses) witness.stop();
    await cluster.stop();
    await history.end();
  }
  return checker.verdict();
}

/**
 * Everybody is in their rooms and has been told of everybody else there. Who comes last is answered before the others
 * hear of it, and those words must not be taken for noise.
 */
function isSteady(witnesses: readonly Witness[]): boolean {
  if (!witnesses.every((witness) => witness.ready)) return false;
  const expected = new Map<string, number>();
  for (const { rooms } of witnesses)
    for (const room of rooms) expected.set(room, (expected.get(room) ?? 0) + 1);
  return witnesses.every((witness) =>
    witness.rooms.every((room) => witness.membersOf(room) === expected.get(room)),
  );
}

/** Sends at the asked rate while the schedule is carried out. */
async function talk(
  options: Options,
  cluster: Cluster,
  witnesses: readonly Witness[],
  random: Random,
  elapsed: () => number,
  record: (event: RunEvent) => void,
  say: Say,
): Promise<void> {
  const totalMs = options.minutes * 60_000;
  const start = elapsed();
  let sent = 0;
  const timer = setInterval(() => {
    const due = ((elapsed() - start) * options.rate) / 1_000;
    for (; sent < due; sent += 1) witnesses[sent % witnesses.length]?.send();
  }, 5);
  try {
    for (const fault of schedule(options.faults, totalMs, random)) {
      await Bun.sleep(Math.max(0, start + fault.atMs - elapsed()));
      const what = await apply(fault, cluster, witnesses, {
        fault: (text) => record({ e: "fault", t: elapsed(), what: text }),
        away: (e) => record({ e, t: elapsed() }),
      });
      say(`${String(elapsed()).padStart(7)} ms  ${what}`);
    }
    await Bun.sleep(Math.max(0, start + totalMs - elapsed()));
  } finally {
    clearInterval(timer);
  }
}

/** Notes for the history. */
interface Notes {
  fault(what: string): void;
  /** From now on nothing is left that could answer, or something is again. */
  away(e: "away" | "back"): void;
}

/** Carries out one fault and heals it. @returns what was done, for a person */
async function apply(
  fault: Fault,
  cluster: Cluster,
  witnesses: readonly Witness[],
  note: Notes,
): Promise<string> {
  const away = `for ${Math.round(fault.awayMs)} ms`;
  if (fault.target === "client") {
    const number = Math.floor(fault.pick * witnesses.length);
    note.fault(`slow ${number}`);
    witnesses[number]?.stall(fault.awayMs);
    return `client ${number} stopped reading ${away}`;
  }
  if (fault.target === "network") {
    const proxy = cluster.proxies[Math.floor(fault.pick * cluster.proxies.length)];
    note.fault(`${fault.action} network`);
    if (fault.action === "cut") proxy?.cut();
    else if (proxy !== undefined) {
      proxy.weather.delayMs = fault.action === "delay" ? 100 : 0;
      proxy.weather.split = fault.action === "split";
      await Bun.sleep(fault.awayMs);
      Object.assign(proxy.weather, { delayMs: 0, split: false });
    }
    return `network: ${fault.action} ${away}`;
  }
  const member = chosen(fault, cluster);
  if (member === undefined) return `no ${fault.target} to ${fault.action}`;
  const what = `${fault.action} ${member.name}${member === cluster.keeper() ? " (keeper)" : ""}`;
  note.fault(what);
  if (isOnlyOne(member, cluster)) note.away("away");
  await strike(fault, member);
  if (isOnlyOne(member, cluster)) note.away("back");
  return `${what} ${away}`;
}

/** Nobody else can do what this one does. */
function isOnlyOne(member: Member, { redis, balancers, servers }: Cluster): boolean {
  return [redis === undefined ? [] : [redis], balancers, servers].some(
    (kind) => kind.length === 1 && kind[0] === member,
  );
}

function chosen(fault: Fault, cluster: Cluster): Member | undefined {
  if (fault.target === "redis") return cluster.redis;
  if (fault.target === "keeper") return cluster.keeper();
  const members = fault.target === "balancer" ? cluster.balancers : cluster.servers;
  return members[Math.floor(fault.pick * members.length)];
}

async function strike(fault: Fault, member: Member): Promise<void> {
  switch (fault.action) {
    case "hang": {
      const pid = member.pid;
      member.signal("SIGSTOP");
      await Bun.sleep(fault.awayMs);
      member.signal("SIGCONT");
      // A hung keeper may have been fenced off by ending it; then it is started again like any other loss.
      const gone = await Promise.race([member.exited().then(() => true), Bun.sleep(500).then(() => false)]);
      if (gone && member.pid === pid) await member.start();
      return;
    }
    case "drain":
      await member.leave(DRAIN_MS);
      await Bun.sleep(fault.awayMs);
      await member.start();
      return;
    case "renew":
      member.signal("SIGUSR2");
      await Bun.sleep(fault.awayMs);
      return;
    default:
      member.signal("SIGKILL");
      await member.exited();
      await Bun.sleep(fault.awayMs);
      await member.start();
  }
}

function roomsOf(number: number, rooms: readonly string[]): string[] {
  const mine = new Set<string>();
  for (let n = 0; n < Math.min(ROOMS_EACH, rooms.length); n += 1) {
    mine.add(rooms[(number + n * (1 + Math.floor(rooms.length / 3))) % rooms.length] ?? "");
  }
  return [...mine];
}

/** Polls until `done`, at most `ms`. @returns true when the time ran out */
async function until(done: () => boolean, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (!done()) {
    if (performance.now() > deadline) return true;
    await Bun.sleep(POLL_MS);
  }
  return false;
}
