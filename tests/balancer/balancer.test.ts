/** The balancer over real sockets: choosing, losing, draining, refusing. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { BalancerOptions } from "../../src/balancer/balancer.ts";
import { parseNetworks } from "../../src/balancer/door.ts";
import type { Snapshot } from "../../src/balancer/view.ts";
import { Client, startBalancer, TestBackend } from "./cluster.ts";
import { eventually } from "../support/deadline.ts";

// Above every deadline of a wait, so that it is the wait that fails, saying what it waited for.
setDefaultTimeout(60_000);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function backends(count: number, options: ConstructorParameters<typeof TestBackend>[1] = {}): TestBackend[] {
  return Array.from({ length: count }, (_, index) => {
    const backend = new TestBackend(`s${index + 1}`, options).start();
    cleanups.push(() => backend.kill());
    return backend;
  });
}

async function balance(all: readonly TestBackend[], options: Partial<BalancerOptions> = {}) {
  const parts = await startBalancer(all.map(({ id }) => id).join(","), options);
  cleanups.push(() => parts.balancer.stop());
  return {
    ...parts,
    connect: async (count = 1): Promise<Client[]> => {
      const clients = await Promise.all(Array.from({ length: count }, () => Client.to(parts.at)));
      for (const client of clients) cleanups.push(() => client.stop());
      return clients;
    },
    settled: (wanted: string) =>
      eventually(
        async () => (await parts.states()) === wanted,
        () => `states ${wanted}`,
      ),
  };
}

/** What must hold of the counters at any moment when nothing is under way. */
function expectReconciled(snapshot: Snapshot): void {
  expect(snapshot.selected - snapshot.failures).toBe(snapshot.sessions.total);
  let total = 0;
  for (const { selected, failures, sessions, handovers } of snapshot.backends) {
    expect(selected - failures).toBe(sessions.total - handovers.in);
    expect(sessions.total).toBeGreaterThanOrEqual(sessions.current);
    total += sessions.total - handovers.in;
  }
  expect(total).toBe(snapshot.sessions.total);
}

describe("sessions", () => {
  test("go round robin over the healthy, and are answered by them", async () => {
    const all = backends(3);
    const { connect, balancer, settled } = await balance(all);
    await settled("up,up,up");
    const answers: string[] = [];
    for (const client of await connect(6)) answers.push(await client.ask("hi"));
    expect(answers).toEqual(["s1 hi", "s2 hi", "s3 hi", "s1 hi", "s2 hi", "s3 hi"]);
    const snapshot = await balancer.snapshot();
    expect(snapshot.backends.map(({ selected, sessions }) => [selected, sessions.current])).toEqual([
      [2, 2],
      [2, 2],
      [2, 2],
    ]);
    expect(snapshot.backends[0]).toMatchObject({
      server: "s1",
      build: "9.9.9",
      cluster: "c1",
      lastCheck: { code: "L7OK" },
    });
    expectReconciled(snapshot);
  });

  test("wait for a backend that starts after the balancer", async () => {
    const [one] = backends(1) as [TestBackend];
    one.kill();
    const { connect, settled, view } = await balance([one]);
    await settled("down");
    expect(await view(one.id)).toMatchObject({ reason: "L4CON", detail: expect.stringContaining(one.id) });
    const [client] = (await connect()) as [Client];
    const answer = client.ask("early");
    one.start();
    expect(await answer).toBe("s1 early");
  });

  test("are told and closed when no backend comes in time", async () => {
    const [one] = backends(1) as [TestBackend];
    one.kill();
    const { connect, balancer } = await balance([one], { holdMs: 50 });
    const [client] = (await connect()) as [Client];
    expect(await client.ask("hi")).toContain('"code":"no-backend"');
    await eventually(
      async () => (await balancer.snapshot()).sessions.refused === 1,
      () => "the count of those given up",
    );
  });

  test("move when their backend is killed, keep their connection, and lose no line", async () => {
    const all = backends(3);
    const { connect, balancer, settled, view } = await balance(all);
    await settled("up,up,up");
    const clients = await connect(9);
    for (const client of clients) await client.ask("one");
    all[0]!.kill();
    const answers = await Promise.all(clients.map((client) => client.ask("two")));
    expect(answers.filter((answer) => answer === "s1 two")).toEqual([]);
    expect(answers.every((answer) => /^s[23] two$/.test(answer))).toBe(true);
    expect(clients.some((client) => client.isClosed)).toBe(false);
    await settled("down,up,up");
    const killed = await view(all[0]!.id);
    expect(killed).toMatchObject({
      state: "down",
      sessions: { current: 0, total: 3 },
      handovers: { in: 0, out: 3 },
    });
    const snapshot = await balancer.snapshot();
    expect(snapshot.handovers).toEqual({ in: 3, out: 3 });
    expect(snapshot.handoverPause.counts.reduce((sum, count) => sum + count, 0)).toBe(3);
    expectReconciled(snapshot);
    // Moved sessions carry their token, and the lines that were not finished.
    const moved = all[1]!.hubs
      .flatMap(({ sessions }) => sessions)
      .filter(({ handover }) => handover !== undefined);
    expect(moved.length).toBeGreaterThan(0);
    for (const session of moved) expect(session.handover?.token).toStartWith("token-");
    // And it comes back by itself.
    all[0]!.start();
    await settled("up,up,up");
    const [late] = (await connect()) as [Client];
    await late.ask("x");
  });

  test("that were not answered yet when the backend died count as its failure, and are placed again", async () => {
    const all = backends(2);
    const { connect, balancer, settled, view } = await balance(all);
    await settled("up,up");
    const first = all[0]!;
    for (const hub of first.hubs) {
      hub.onOpen = () => {};
      hub.onLine = () => {};
    }
    const [client] = (await connect()) as [Client];
    const answer = client.ask("hi");
    await eventually(
      () => first.hubs.some(({ sessions }) => sessions.length > 0),
      () => "the session's arrival",
    );
    first.kill();
    expect(await answer).toBe("s2 hi");
    expect(await view(first.id)).toMatchObject({ selected: 1, failures: 1, sessions: { total: 0 } });
    expect(await view(all[1]!.id)).toMatchObject({
      selected: 1,
      failures: 0,
      retries: 1,
      sessions: { total: 1 },
    });
    expectReconciled(await balancer.snapshot());
  });

  test("that their servers end by a fault eject the backend, but never the last one", async () => {
    const all = backends(2);
    const { connect, settled } = await balance(all);
    await settled("up,up");
    for (let turn = 0; turn < 10; turn += 1) {
      const [client] = (await connect()) as [Client];
      // Answered by turns: the first backend fails, the second works.
      await client.ask(turn % 2 === 0 ? "fail" : "work");
    }
    await settled("ejected,up");
    for (let turn = 0; turn < 12; turn += 1) {
      const [client] = (await connect()) as [Client];
      await client.ask("fail");
    }
    await settled("ejected,up");
  });

  test("wait for no ejection to end when the only backend that is there again is ejected", async () => {
    const all = backends(2);
    const { connect, settled } = await balance(all);
    await settled("up,up");
    const [stays] = (await connect(2)).slice(1) as [Client];
    for (let turn = 0; turn < 10; turn += 1) {
      const [client] = (await connect()) as [Client];
      await client.ask(turn % 2 === 0 ? "fail" : "work");
    }
    await settled("ejected,up");
    for (const backend of all) backend.kill();
    await settled("down,down");
    stays.say("anybody?");
    all[0]!.start();
    await settled("ejected,down");
    await eventually(
      () => stays.lines.includes("s1 anybody?"),
      () => `an answer: ${stays.lines.join()}`,
    );
  });
});

describe("backends", () => {
  test("of another cluster, another secret or no rtchat at all are kept out, each with its reason", async () => {
    const good = backends(2);
    const foreign = new TestBackend("foreign", { cluster: "c2" }).start();
    const stranger = new TestBackend("stranger", { secret: randomBytes(32) }).start();
    const web = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
    cleanups.push(
      () => foreign.kill(),
      () => stranger.kill(),
      () => web.stop(true),
    );
    const list = [...good.map(({ id }) => id), foreign.id, stranger.id, `127.0.0.1:${web.port}`].join(",");
    const parts = await startBalancer(list);
    cleanups.push(() => parts.balancer.stop());
    await eventually(
      async () => (await parts.states()) === "up,up,down,down,down",
      () => "all verdicts",
    );
    expect(await parts.view(foreign.id)).toMatchObject({
      reason: "wrong-cluster",
      detail: expect.stringContaining("--data"),
    });
    expect(await parts.view(stranger.id)).toMatchObject({
      reason: "wrong-secret",
      detail: expect.stringContaining("--cluster-secret-file"),
    });
    const notRtchat = await parts.view(`127.0.0.1:${web.port}`);
    expect(["L7RSP", "L4CON"]).toContain(notRtchat.reason);
    for (let turn = 0; turn < 4; turn += 1) {
      const client = await Client.to(parts.at);
      cleanups.push(() => client.stop());
      expect(await client.ask("x")).toMatch(/^s[12] x$/);
    }
  });

  test("that hang are left at once when they are silent", async () => {
    const all = backends(2);
    const { connect, settled } = await balance(all);
    await settled("up,up");
    const clients = await connect(4);
    for (const client of clients) await client.ask("one");
    // Deaf and dumb, but connected: as a stopped process.
    const first = all[0]!;
    first.report = () => {
      throw new Error("no report");
    };
    await settled("down,up");
    for (const client of clients) expect(await client.ask("two")).toBe("s2 two");
  });

  test("are drained at a rate, show progress, and may be set ready again", async () => {
    const all = backends(2);
    const { connect, balancer, settled, view } = await balance(all);
    await settled("up,up");
    const clients = await connect(20);
    for (const client of clients) await client.ask("one");
    expect(await balancer.control.drain(all[0]!.id, { rate: 20, deadlineSeconds: 60 })).toEqual({ ok: true });
    const begun = await view(all[0]!.id);
    expect(begun).toMatchObject({
      state: "draining",
      reason: "draining",
      drain: { cause: "operator", rate: 20, total: 10 },
    });
    const remaining: number[] = [];
    await eventually(
      async () => {
        const left = (await view(all[0]!.id)).drain?.remaining ?? -1;
        if (left !== remaining.at(-1)) remaining.push(left);
        return left === 0;
      },
      () => "the end of the drain",
    );
    expect(remaining.length).toBeGreaterThan(3);
    expect([...remaining].sort((a, b) => b - a)).toEqual(remaining);
    for (const client of clients) expect(await client.ask("two")).toBe("s2 two");
    const [fresh] = (await connect()) as [Client];
    expect(await fresh.ask("x")).toBe("s2 x");
    expect(await view(all[0]!.id)).toMatchObject({ state: "draining", sessions: { current: 0 } });
    await balancer.control.ready(all[0]!.id);
    await settled("up,up");
    expectReconciled(await balancer.snapshot());
  });

  test("are drained at once when the deadline is now", async () => {
    const all = backends(2);
    const { connect, balancer, settled, view } = await balance(all);
    await settled("up,up");
    for (const client of await connect(40)) await client.ask("one");
    await balancer.control.drain(all[0]!.id, { rate: 1, deadlineSeconds: 0 });
    await eventually(
      async () => (await view(all[0]!.id)).sessions.current === 0,
      () => "the drain",
    );
  });

  test("keep their sessions while there is nobody to take them", async () => {
    const all = backends(1);
    const { connect, balancer, settled, view } = await balance(all);
    await settled("up");
    const [client] = (await connect()) as [Client];
    await client.ask("one");
    await balancer.control.drain(all[0]!.id, { deadlineSeconds: 0 });
    await Bun.sleep(300);
    expect(await client.ask("two")).toBe("s1 two");
    expect((await view(all[0]!.id)).drain?.remaining).toBe(1);
  });

  test("are left when they ask for it", async () => {
    const all = backends(2);
    const { connect, settled, view } = await balance(all);
    await settled("up,up");
    const clients = await connect(10);
    for (const client of clients) await client.ask("one");
    all[0]!.askToBeLeft();
    await settled("draining,up");
    expect((await view(all[0]!.id)).drain?.cause).toBe("hub");
    await eventually(
      async () => (await view(all[0]!.id)).sessions.current === 0,
      () => "everybody's departure",
    );
    for (const client of clients) expect(await client.ask("two")).toBe("s2 two");
  });

  test("come and go while serving", async () => {
    const all = backends(3);
    const { connect, balancer, settled, view } = await balance(all.slice(0, 2));
    await settled("up,up");
    const clients = await connect(6);
    for (const client of clients) await client.ask("one");
    expect(await balancer.control.add([`${all[2]!.id}*2`])).toEqual({ ok: true });
    await settled("up,up,up");
    expect((await view(all[2]!.id)).weight).toBe(2);
    expect(await balancer.control.remove(all[0]!.id)).toEqual({ ok: true });
    await settled("up,up");
    for (const client of clients) expect(await client.ask("two")).toMatch(/^s[23] two$/);
    const snapshot = await balancer.snapshot();
    // Its sessions are still counted.
    expect(snapshot.sessions.total).toBe(6);
    expect(snapshot.sessions.current).toBe(6);
    expect(await balancer.control.replace([all[0]!.id])).toEqual({ ok: true });
    await settled("up");
    for (const client of clients) expect(await client.ask("three")).toBe("s1 three");
  });

  test("named wrongly are refused, and nothing changes", async () => {
    const all = backends(1);
    const { balancer, settled } = await balance(all);
    await settled("up");
    for (const entries of [["8001*999"], ["nowhere"], [all[0]!.id], ["0"]]) {
      expect(await balancer.control.add(entries)).toMatchObject({ ok: false, problem: "invalid" });
    }
    for (const outcome of [
      await balancer.control.drain("x", {}),
      await balancer.control.ready("x"),
      await balancer.control.remove("x"),
    ]) {
      expect(outcome).toMatchObject({ ok: false, problem: "not-found" });
    }
    await settled("up");
  });

  test("a backend that is being removed is no other state's before it is gone", async () => {
    const all = backends(2);
    const { connect, balancer, settled } = await balance(all);
    await settled("up,up");
    const [one] = (await connect(1)) as [Client];
    expect(await one.ask("hi")).toBe("s1 hi");
    // With nowhere to go, the session stays, and the removal waits for it.
    await balancer.control.change(all[1]!.id, { state: "maintenance" });
    expect(await balancer.control.remove(all[0]!.id)).toEqual({ ok: true });
    for (const state of ["ready", "drain", "maintenance"] as const) {
      expect(await balancer.control.change(all[0]!.id, { state, weight: 7 })).toMatchObject({
        ok: false,
        problem: "conflict",
      });
    }
    expect(await balancer.control.drain(all[0]!.id, {})).toMatchObject({ problem: "conflict" });
    expect(await balancer.control.ready(all[0]!.id)).toMatchObject({ problem: "conflict" });
    const removed = (await balancer.snapshot()).backends[0];
    expect(removed).toMatchObject({ state: "draining", weight: 1, drain: { cause: "removal" } });
    await balancer.control.change(all[1]!.id, { state: "ready" });
    await settled("up");
    expect(await one.ask("hi")).toBe("s2 hi");
  });

  test("in maintenance lose their sessions to others, and are not even checked", async () => {
    const all = backends(2);
    const { connect, balancer, settled, view } = await balance(all);
    await settled("up,up");
    const clients = await connect(4);
    for (const client of clients) await client.ask("one");
    await balancer.control.change(all[0]!.id, { state: "maintenance" });
    for (const client of clients) expect(await client.ask("two")).toBe("s2 two");
    await settled("maintenance,up");
    await eventually(
      () => all[0]!.hubs.length === 0,
      () => "the end of its trunk",
    );
    expect(await balancer.control.drain(all[0]!.id, {})).toMatchObject({ ok: false, problem: "conflict" });
    expect((await view(all[0]!.id)).sessions.current).toBe(0);
    await balancer.control.change(all[0]!.id, { state: "ready", weight: 3 });
    await settled("up,up");
    expect((await view(all[0]!.id)).weight).toBe(3);
  });

  test("that join take over their share, if asked for", async () => {
    const all = backends(2);
    const { connect, balancer, settled, view } = await balance(all.slice(0, 1), { rebalanceRate: 1_000 });
    await settled("up");
    const clients = await connect(20);
    for (const client of clients) await client.ask("one");
    await balancer.control.add([all[1]!.id]);
    await eventually(
      async () => {
        const found = (await balancer.snapshot()).backends[1];
        return found?.sessions.current === 10;
      },
      () => "half of the sessions to move",
    );
    expect((await view(all[0]!.id)).sessions.current).toBe(10);
    const answers = await Promise.all(clients.map((client) => client.ask("two")));
    expect(answers.filter((answer) => answer === "s2 two")).toHaveLength(10);
    await Bun.sleep(250);
    expect((await view(all[0]!.id)).sessions.current).toBe(10);
  });
});

describe("a slow start", () => {
  test("gives a recovered backend little at first, shows how much, and ends by itself", async () => {
    const all = backends(2);
    const { connect, settled, view } = await balance(all, { slowStartMs: 1_000 });
    await settled("up,up");
    all[0]!.kill();
    await settled("down,up");
    all[0]!.start();
    await settled("up,up");
    expect((await view(all[0]!.id)).ramp).toBeLessThan(1);
    expect((await view(all[1]!.id)).ramp).toBe(1);
    await eventually(
      async () => (await view(all[0]!.id)).ramp === 1,
      () => "its full share",
    );
    const before = (await view(all[0]!.id)).selected;
    for (const client of await connect(4)) await client.ask("x");
    expect((await view(all[0]!.id)).selected - before).toBe(2);
  });
});

describe("the door", () => {
  test("refuses above its limits, clearly, and counts it", async () => {
    const { connect, balancer, settled } = await balance(backends(1), {
      door: { perAddress: 2, newPerSecond: 0, limitLoopback: true },
    });
    await settled("up");
    const [one, two, three] = (await connect(3)) as [Client, Client, Client];
    await eventually(
      () => [one, two, three].filter((client) => client.isClosed).length === 1,
      () => "one refusal",
    );
    const refused = [one, two, three].find((client) => client.isClosed)!;
    expect(refused.lines).toEqual([
      '{"type":"error","code":"too-many-connections","message":"127.0.0.1 has 2 connections, the limit for one address"}',
    ]);
    expect((await balancer.snapshot()).refused).toEqual({ total: 0, address: 1, rate: 0, descriptors: 0 });
    for (const client of [one, two, three]) client.stop();
    await eventually(
      async () => (await balancer.snapshot()).connections.current === 0,
      () => "all to be gone",
    );
    const [again] = (await connect()) as [Client];
    expect(await again.ask("hi")).toBe("s1 hi");
  });

  test("takes the client's address from a trusted proxy, and only from one", async () => {
    const all = backends(1);
    const { connect, balancer, settled } = await balance(all, { isProxy: parseNetworks("127.0.0.0/8") });
    await settled("up");
    const [client] = (await connect()) as [Client];
    client.bare.open.write("PROXY TCP4 192.0.2.7 198.51.100.1 12345 8000\r\nhello\n");
    client.bare.open.flush();
    await eventually(
      () => client.lines.length > 0,
      () => "an answer",
    );
    expect(all[0]!.hubs[0]?.last.origin.address).toBe("192.0.2.7:12345");
    const { sessions } = await balancer.sessions({ limit: 10 });
    expect(sessions).toMatchObject([{ address: "192.0.2.7:12345", backend: all[0]!.id }]);
    const [bare] = (await connect()) as [Client];
    expect(await bare.ask('{"type":"hello"}')).toContain("PROXY header");
    expect(bare.isClosed || bare.lines.length === 1).toBe(true);
  });
});

describe("what is shown", () => {
  test("sessions by page, and none of what was said", async () => {
    const all = backends(2);
    const { connect, balancer, settled } = await balance(all);
    await settled("up,up");
    for (const client of await connect(5)) await client.ask("secret");
    const first = await balancer.sessions({ limit: 2 });
    expect(first.sessions.map(({ id }) => id)).toEqual(["1", "2"]);
    const second = await balancer.sessions({ limit: 2, after: first.next! });
    expect(second.sessions.map(({ id }) => id)).toEqual(["3", "4"]);
    const third = await balancer.sessions({ limit: 2, after: second.next! });
    expect([third.sessions.length, third.next]).toEqual([1, null]);
    const there = await balancer.sessions({ limit: 100, backend: all[1]!.id });
    expect(there.sessions).toHaveLength(2);
    expect(there.sessions[0]?.bytes).toEqual({ in: 7, out: 10 });
    expect(JSON.stringify([first, await balancer.snapshot()])).not.toContain("secret");
  });

  test("one line in the log when a session ends", async () => {
    const all = backends(1);
    const { connect, settled, log } = await balance(all);
    await settled("up");
    const [client] = (await connect()) as [Client];
    await client.ask("secret");
    const { localPort } = client.bare.open;
    client.bare.open.shutdown();
    await eventually(
      () => log.lines.some(({ message }) => message === "session ended"),
      () => "the line",
    );
    const line = log.lines.find(({ message }) => message === "session ended")!;
    expect(line.fields).toEqual({
      client: `127.0.0.1:${localPort}`,
      backend: all[0]!.id,
      durationMs: expect.any(Number),
      bytesIn: 7,
      bytesOut: 10,
      lines: 1,
      moves: 0,
      why: "ended",
    });
    expect(JSON.stringify(log.lines)).not.toContain("secret");
  });
});

describe("stopping", () => {
  test("sends everybody elsewhere, after their last answers", async () => {
    const all = backends(2);
    const parts = await startBalancer(all.map(({ id }) => id).join(","));
    await eventually(
      async () => (await parts.states()) === "up,up",
      () => "both up",
    );
    const clients = await Promise.all([1, 2, 3].map(() => Client.to(parts.at)));
    for (const client of clients) await client.ask("one");
    for (const client of clients) client.say("two");
    const stopped = parts.balancer.stop();
    await eventually(
      () => clients.every((client) => client.lines.some((line) => line.includes("going-away"))),
      () => "the goodbye",
    );
    for (const client of clients) client.bare.open.end();
    await stopped;
    await eventually(
      () => all.every((backend) => backend.hubs.length === 0),
      () => "the trunks' end",
    );
    expect(
      await Client.to(parts.at).then(
        () => "open",
        () => "refused",
      ),
    ).toBe("refused");
  });
});
