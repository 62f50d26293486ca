/**
 * Relaying through the balancer over real sockets, after the list of cases that Envoy tests its TCP proxy with: who
 * speaks first, who closes when, how much is on its way then, and readers that do not read.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { seededRandom } from "../../src/protocol/clock.ts";
import { Bare } from "../net/helpers.ts";
import { eventually } from "../support/deadline.ts";
import { Client, startBalancer, TestBackend } from "./cluster.ts";

// Above every deadline of a wait, so that it is the wait that fails, saying what it waited for.
setDefaultTimeout(60_000);
const until = (condition: () => boolean) => eventually(condition, () => condition.toString());

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function relay(count = 1) {
  const backends = Array.from({ length: count }, (_, index) => new TestBackend(`s${index + 1}`).start());
  for (const backend of backends) cleanups.push(() => backend.kill());
  const parts = await startBalancer(backends.map(({ id }) => id).join(","));
  cleanups.push(() => parts.balancer.stop());
  await eventually(
    async () => !(await parts.states()).includes("starting"),
    () => "all backends up",
  );
  const [backend] = backends as [TestBackend];
  return {
    ...parts,
    backend,
    backends,
    connect: async () => {
      const client = await Client.to(parts.at);
      cleanups.push(() => client.stop());
      return client;
    },
  };
}

/** The hub's side of the last session. */
const lastAt = (backend: TestBackend) => {
  const hub = backend.hubs.at(-1)!;
  return { hub, session: hub.last };
};

const MiB = 1 << 20;

describe("a relay", () => {
  test("lets the server speak first", async () => {
    const { connect, backend } = await relay();
    for (const hub of backend.hubs) {
      hub.onOpen = (session) => hub.say(session, "welcome, before anything else", 0);
      hub.onLine = () => {};
    }
    const client = await connect();
    client.say("x");
    await until(() => client.bare.text === "welcome, before anything else\n");
  });

  test("delivers everything when the client ends with data in flight", async () => {
    const { connect, backend } = await relay();
    const client = await connect();
    const lines = Array.from({ length: 1_000 }, (_, index) => `line ${index} ${"x".repeat(index % 50)}`);
    client.bare.open.write(`${lines.join("\n")}\n`);
    client.bare.open.shutdown();
    await until(() => client.isClosed);
    expect(client.lines).toEqual(lines.map((line) => `s1 ${line}`));
    expect(lastAt(backend).session.closed).toBe("ended");
  });

  test("delivers everything when the server ends with data in flight", async () => {
    const { connect, backend } = await relay();
    const client = await connect();
    await client.ask("hi");
    const { hub, session } = lastAt(backend);
    const big = "y".repeat(700_000);
    hub.say(session, big);
    hub.port.close(session.id, "bye");
    await until(() => client.isClosed);
    expect(client.lines[1]).toBe(big);
  });

  test("carries large writes both ways whole", async () => {
    const { connect, backend } = await relay();
    const client = await connect();
    const line = "z".repeat(60_000);
    const answer = line.length + "s1 \n".length;
    for (let turn = 1; turn <= 100; turn += 1) {
      client.say(line);
      await until(() => client.bare.bytes === turn * answer);
    }
    expect(lastAt(backend).session.lines.every((one) => one === line)).toBe(true);
    expect(client.lines.every((one) => one === `s1 ${line}`)).toBe(true);
  });

  test("drops a reader that does not read 50 MiB, keeping little of it, and nobody else waits", async () => {
    const { connect, backend, balancer } = await relay();
    const slow = await connect();
    await slow.ask("hi");
    const { hub, session } = lastAt(backend);
    const other = await connect();
    await other.ask("hi");
    slow.bare.open.pause();
    const part = Buffer.from(`${"w".repeat(MiB / 4 - 1)}\n`);
    let sent = 0;
    while (sent < 50 * MiB && session.closed === undefined) {
      hub.port.send(session.id, part, session.received);
      sent += part.length;
      expect(await other.ask("still here")).toBe("s1 still here");
    }
    // Its outbox holds one MiB; the rest is what the kernel takes for a connection on loopback.
    expect(session.closed).toBe("slow-consumer");
    expect(sent).toBeLessThan(20 * MiB);
    await eventually(
      async () => (await balancer.snapshot()).sessions.current === 1,
      () => "the reader's end",
    );
    slow.bare.open.resume();
    await until(() => slow.isClosed);
    expect(slow.bare.text).toContain('"code":"slow-consumer"');
  });

  test("flushes what a client has yet to read when the balancer stops", async () => {
    const backend = new TestBackend("s1").start();
    cleanups.push(() => backend.kill());
    const { balancer, at, states } = await startBalancer(backend.id);
    await eventually(
      async () => (await states()) === "up",
      () => "the backend up",
    );
    const client = await Client.to(at);
    cleanups.push(() => client.stop());
    await client.ask("hi");
    client.bare.open.pause();
    const { hub, session } = lastAt(backend);
    const big = "v".repeat(900_000);
    hub.say(session, big);
    await eventually(
      async () => (await balancer.snapshot()).bytes.out > 900_000,
      () => "the bytes at the balancer",
    );
    const stopped = balancer.stop();
    client.bare.open.resume();
    await until(() => client.isClosed);
    expect(client.lines[1]).toBe(big);
    expect(client.lines[2]).toContain('"going-away"');
    client.stop();
    await stopped;
  });

  test("survives clients that do anything at any time, and its books add up afterwards", async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    const { at, balancer, backends } = await relay(3);
    const act = async (): Promise<void> => {
      const bare = await Bare.to(at);
      for (let step = 0; step < 1 + random() * 6; step += 1) {
        const choice = random();
        if (choice < 0.5) bare.open.write(`${"a".repeat(Math.floor(random() * 3_000))}\n`);
        else if (choice < 0.7) bare.open.write("half a li");
        else if (choice < 0.8) bare.open.write("fail\n");
        else if (choice < 0.9) bare.open.pause();
        else bare.open.resume();
        bare.open.flush();
        if (random() < 0.3) await Bun.sleep(random() * 4);
      }
      if (random() < 0.4) bare.open.terminate();
      else {
        bare.open.resume();
        bare.open.end();
      }
    };
    const everybody = Promise.all(Array.from({ length: 200 }, act));
    await Bun.sleep(10);
    backends[0]!.kill();
    backends[0]!.start();
    await everybody;
    await eventually(
      async () => {
        const { connections, sessions } = await balancer.snapshot();
        return connections.current === 0 && sessions.current === 0 && sessions.held === 0;
      },
      () => `everybody's end, seed ${seed}`,
    );
    const snapshot = await balancer.snapshot();
    expect([seed, snapshot.selected - snapshot.failures]).toEqual([seed, snapshot.sessions.total]);
    expect(snapshot.sessions.total).toBeGreaterThan(50);
    for (const { selected, failures, sessions, handovers } of snapshot.backends) {
      const placed = sessions.total - handovers.in;
      expect([seed, selected - failures, sessions.current]).toEqual([seed, placed, 0]);
    }
  });
});
