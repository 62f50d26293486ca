/** The event stream over real sockets: readers that do not read, and their number. */
import { afterEach, expect, test } from "bun:test";
import { listenAdmin } from "../../src/admin/listen.ts";
import { adminLimits } from "../../src/protocol/limits.balancer.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { Bare } from "../net/helpers.ts";
import { eventually } from "../support/deadline.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { backendView, FakeBalancer, snapshotOf } from "./fixtures.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function setUp(backends: number) {
  const clock = new ManualClock();
  const views = Array.from({ length: backends }, (_, index) => backendView(index + 1));
  const fake = new FakeBalancer(snapshotOf(views));
  const admin = listenAdmin(
    { host: "127.0.0.1", port: 0 },
    { view: fake, control: fake, clock, logger: silentLogger },
  );
  cleanups.push(() => admin.stop());
  const at = { host: "127.0.0.1", port: Number(admin.address.split(":").at(-1)) };
  const watch = async (): Promise<Bare> => {
    const bare = await Bare.to(at);
    cleanups.push(() => bare.open.terminate());
    bare.open.write(`GET /events HTTP/1.1\r\nHost: ${admin.address}\r\n\r\n`);
    bare.open.flush();
    await eventually(
      () => bare.text.includes("event: snapshot"),
      () => "the first picture",
    );
    return bare;
  };
  return { clock, fake, admin, watch };
}

test("a watcher that does not read holds up nobody, and costs no more than one picture", async () => {
  const { clock, fake, watch } = setUp(256);
  const asleep = await watch();
  asleep.open.pause();
  const awake = await watch();
  // Pictures of half a megabyte: the first watcher's buffers are soon full.
  for (let second = 1; second <= 30; second += 1) {
    fake.current = snapshotOf(fake.current.backends, { listen: `second-${second}` });
    clock.advance(adminLimits.streamMs);
    await eventually(
      () => awake.text.includes(`second-${second}`),
      () => `picture ${second}`,
    );
    awake.chunks.length = 0;
  }
  asleep.open.resume();
  await eventually(
    () => asleep.text.includes("event: snapshot"),
    () => "what was on its way",
  );
}, 60_000);

test("nobody is drawn for when nobody watches", async () => {
  const { clock, watch } = setUp(1);
  expect(clock.timers).toBe(0);
  const bare = await watch();
  expect(clock.timers).toBe(1);
  bare.open.terminate();
  await eventually(
    () => clock.timers === 0,
    () => "the end of drawing",
  );
});

test("there is a limit, which is told", async () => {
  const { admin, watch } = setUp(1);
  for (let turn = 0; turn < adminLimits.streams; turn += 1) await watch();
  const refused = await fetch(`http://${admin.address}/events`);
  expect([refused.status, await refused.json()]).toMatchObject([
    503,
    { error: { code: "too-many-streams" } },
  ]);
});
