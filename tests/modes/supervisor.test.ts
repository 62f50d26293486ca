/** One supervised child, with a clock that stands still and a child that lives and dies by hand. */
import { beforeEach, describe, expect, test } from "bun:test";
import type { ReadyFacts } from "../../src/cli/lifecycle.ts";
import { type Child, type ExitStatus, GaveUp, Supervised } from "../../src/modes/up/supervisor.ts";
import { superviseLimits } from "../../src/protocol/limits.ts";
import type { LogFields, Logger } from "../../src/protocol/logger.ts";
import { ManualClock } from "../support/manual-clock.ts";

class FakeChild implements Child {
  readonly pid = 1;
  readonly signals: string[] = [];
  readonly #ready = Promise.withResolvers<ReadyFacts | undefined>();
  readonly #exited = Promise.withResolvers<ExitStatus>();
  readonly last: ReadyFacts | undefined;
  /** What a signal does; a child that hangs does nothing on SIGTERM. */
  obeys = true;

  constructor(last: ReadyFacts | undefined) {
    this.last = last;
  }

  get ready() {
    return this.#ready.promise;
  }

  get exited() {
    return this.#exited.promise;
  }

  kill(signal: "SIGTERM" | "SIGKILL" | "SIGUSR2"): void {
    this.signals.push(signal);
    if (signal === "SIGKILL") this.die({ code: null, signal });
    else if (this.obeys) this.die({ code: 0, signal: null });
  }

  becomeReady(facts: ReadyFacts): void {
    this.#ready.resolve(facts);
  }

  die(status: ExitStatus): void {
    this.#ready.resolve(undefined);
    this.#exited.resolve(status);
  }
}

const killed: ExitStatus = { code: null, signal: "SIGKILL" };
const facts = { listen: "127.0.0.1:8001" };
/** Lets promises that are settled run their callbacks. */
const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

let clock: ManualClock;
let children: FakeChild[];
let logged: [string, LogFields][];
let gaveUp: GaveUp[];
let supervised: Supervised;

beforeEach(() => {
  clock = new ManualClock();
  children = [];
  logged = [];
  gaveUp = [];
  const note = (message: string, fields: LogFields = {}) => void logged.push([message, fields]);
  const log: Logger = { debug: note, info: note, warn: note, error: note };
  // A random part of the pause that is always the whole of it.
  const options = { clock, random: () => 1, log, onGaveUp: (reason: GaveUp) => void gaveUp.push(reason) };
  supervised = new Supervised(
    "server-1",
    (last) => {
      const child = new FakeChild(last);
      children.push(child);
      return child;
    },
    options,
  );
});

async function startReady(): Promise<void> {
  const started = supervised.start();
  children[0]!.becomeReady(facts);
  expect(await started).toEqual(facts);
}

async function die(status: ExitStatus = killed): Promise<void> {
  children.at(-1)!.die(status);
  await settle();
}

describe("a child that dies after it was ready", () => {
  test("is started again after a pause, told where it was", async () => {
    await startReady();
    await die();
    expect(children).toHaveLength(1);
    clock.advance(superviseLimits.backoffMs - 1);
    expect(children).toHaveLength(1);
    clock.advance(1);
    expect(children).toHaveLength(2);
    expect(children[1]!.last).toEqual(facts);
    expect(logged).toEqual([
      ["died, starting it again", { child: "server-1", how: "signal SIGKILL", pauseMs: 500 }],
    ]);
  });

  test("is started after pauses that double up to the longest", async () => {
    await startReady();
    const pauses: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      await die();
      const before = clock.now();
      while (children.length === n + 1) clock.advance(1);
      pauses.push(clock.now() - before);
    }
    expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  test("begins from the first pause again after a good time", async () => {
    await startReady();
    await die();
    clock.advance(superviseLimits.backoffMs);
    children[1]!.becomeReady(facts);
    await settle();
    clock.advance(superviseLimits.stableMs - 1);
    await die();
    clock.advance(2 * superviseLimits.backoffMs);
    expect(children).toHaveLength(3);
    children[2]!.becomeReady(facts);
    await settle();
    clock.advance(superviseLimits.stableMs);
    await die();
    clock.advance(superviseLimits.backoffMs);
    expect(children).toHaveLength(4);
  });

  test("is given up when it says that its command line is wrong", async () => {
    await startReady();
    await die({ code: 2, signal: null });
    clock.advance(1_000_000);
    expect(children).toHaveLength(1);
    expect(gaveUp.map(String)).toEqual(["GaveUp: server-1 could not start: exit code 2"]);
  });
});

describe("the first start", () => {
  test("fails for good when the child ends before it is ready", async () => {
    const started = supervised.start();
    await die({ code: 1, signal: null });
    await expect(started).rejects.toThrow(new GaveUp("server-1", { code: 1, signal: null }).message);
    clock.advance(1_000_000);
    expect(children).toHaveLength(1);
    expect(gaveUp).toEqual([]);
    await supervised.stop();
  });

  test("fails when the child hangs before it is ready", async () => {
    const started = supervised.start();
    clock.advance(superviseLimits.readyMs);
    await expect(started).rejects.toThrow("signal SIGKILL");
    expect(children[0]!.signals).toEqual(["SIGKILL"]);
  });

  test("does not happen after stop", async () => {
    await supervised.stop();
    await expect(supervised.start()).rejects.toThrow(GaveUp);
    expect(children).toEqual([]);
  });
});

describe("stopping", () => {
  test("asks, and starts nothing again", async () => {
    await startReady();
    await supervised.stop();
    expect(children[0]!.signals).toEqual(["SIGTERM"]);
    clock.advance(1_000_000);
    expect(children).toHaveLength(1);
    expect(clock.timers).toBe(0);
  });

  test("insists after the grace time", async () => {
    await startReady();
    children[0]!.obeys = false;
    const stopped = supervised.stop();
    clock.advance(superviseLimits.stopMs - 1);
    expect(children[0]!.signals).toEqual(["SIGTERM"]);
    clock.advance(1);
    await stopped;
    expect(children[0]!.signals).toEqual(["SIGTERM", "SIGKILL"]);
  });

  test("during a pause cancels the restart", async () => {
    await startReady();
    await die();
    await supervised.stop();
    clock.advance(1_000_000);
    expect(children).toHaveLength(1);
  });

  test("during the first start ends it", async () => {
    const started = supervised.start();
    const stopped = supervised.stop();
    await expect(started).rejects.toThrow(GaveUp);
    await stopped;
    expect(children[0]!.signals).toEqual(["SIGTERM"]);
  });

  test("can be overtaken by killing", async () => {
    await startReady();
    children[0]!.obeys = false;
    const stopped = supervised.stop();
    await supervised.kill();
    await stopped;
    expect(children[0]!.signals).toEqual(["SIGTERM", "SIGKILL"]);
  });
});

describe("renewing", () => {
  test("stops it and starts it again at once, where it was, and tells when it is back", async () => {
    await startReady();
    const renewed = supervised.renew();
    await settle();
    expect(children.map(({ signals }) => signals)).toEqual([["SIGTERM"], []]);
    expect(children[1]!.last).toEqual(facts);
    children[1]!.becomeReady(facts);
    expect(await renewed).toBe(true);
    // From here on it is a child like any other.
    await die();
    clock.advance(superviseLimits.backoffMs);
    expect(children).toHaveLength(3);
  });

  test("tells that it did not come back, and goes on trying", async () => {
    await startReady();
    const renewed = supervised.renew();
    await settle();
    await die({ code: 1, signal: null });
    expect(await renewed).toBe(false);
    clock.advance(superviseLimits.backoffMs);
    expect(children).toHaveLength(3);
  });

  test("of one that hangs insists after the grace time", async () => {
    await startReady();
    children[0]!.obeys = false;
    const renewed = supervised.renew();
    clock.advance(superviseLimits.stopMs);
    await settle();
    children[1]!.becomeReady(facts);
    expect(await renewed).toBe(true);
    expect(children[0]!.signals).toEqual(["SIGTERM", "SIGKILL"]);
  });

  test("ends when everything is stopped meanwhile", async () => {
    await startReady();
    children[0]!.obeys = false;
    const renewed = supervised.renew();
    const stopped = supervised.stop();
    await die();
    await stopped;
    expect(await renewed).toBe(false);
    expect(children).toHaveLength(1);
  });
});

test("an executable that is missing for a while is no end of the supervisor", async () => {
  let isThere = true;
  const note = (message: string, fields: LogFields = {}) => void logged.push([message, fields]);
  const one = new Supervised(
    "server-1",
    (last) => {
      if (!isThere) throw new Error("ENOENT");
      const child = new FakeChild(last);
      children.push(child);
      return child;
    },
    {
      clock,
      random: () => 1,
      log: { debug: note, info: note, warn: note, error: note },
      onGaveUp: (reason) => void gaveUp.push(reason),
    },
  );
  void one.start();
  children[0]!.becomeReady(facts);
  await settle();
  isThere = false;
  await die();
  clock.advance(superviseLimits.backoffMs);
  expect(logged.map(([message]) => message)).toContain("cannot be started");
  isThere = true;
  clock.advance(superviseLimits.backoffMostMs);
  expect(children).toHaveLength(2);
  expect(gaveUp).toEqual([]);
});
