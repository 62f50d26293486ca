/** One pair over ways that come and go: a proxy that is cut and opened again, and a relay that loses frames. */
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { openDevice, type Device } from "../../src/modes/client/direct/device.ts";
import { Pair, type PairPath } from "../../src/modes/client/direct/pair.ts";
import type { ClientEvent } from "../../src/client/events.ts";
import { RelayPace } from "../../src/mesh/relay/pace.ts";
import type { RelayFrame } from "../../src/mesh/relay/stream.ts";
import type { Interfaces } from "../../src/mesh/node/addresses.ts";
import { DiskFiles } from "../../src/mesh/transfer/disk-files.ts";
import { parseAddress } from "../../src/protocol/address.ts";
import { directLimits } from "../../src/protocol/limits.peer.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { Proxy } from "../mesh-link/proxy.ts";
import { Cleanup, until } from "../mesh-link/support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** Of what the log announces nothing leads anywhere (RFC 6666), so that the proxy is the only direct way. */
const address = "100::1";
const mac = "00:00:00:00:00:00";
const netmask = "ffff:ffff:ffff:ffff::";
const nowhere: Interfaces = {
  none: [{ address, mac, netmask, family: "IPv6", internal: false, cidr: `${address}/64`, scopeid: 0 }],
};

/** One of the two. */
interface Half {
  readonly pair: Pair;
  readonly texts: string[];
  readonly paths: (string | undefined)[];
  readonly told: string[];
}

/** What the server between them does. */
interface Server {
  isThere: boolean;
  /** Frames to lose. */
  lose: number;
  frames: number;
}

async function halves(server: Server, isHidden: boolean): Promise<[Half, Half]> {
  const devices = [await openDevice(cleanup.directory()), await openDevice(cleanup.directory())] as const;
  const made: Half[] = [];
  const make = (device: Device, partner: Device, other: number): Half => {
    const texts: string[] = [];
    const paths: (string | undefined)[] = [];
    const told: string[] = [];
    let seq = 0;
    const relay = (frame: RelayFrame): boolean => {
      server.frames += 1;
      if (server.lose > 0) server.lose -= 1;
      else setImmediate(() => made[other]?.pair.relayed(frame));
      return server.isThere;
    };
    const options = {
      device,
      partner: partner.identity.peerId,
      clock: systemClock,
      pace: new RelayPace(systemClock),
      files: new DiskFiles(join(cleanup.directory(), "downloads")),
      isHidden,
      interfaces: () => nowhere,
      ownNick: () => "me",
      nick: () => "you",
      canRelay: () => server.isThere,
      relay,
      nextSeq: () => (seq += 1),
      emit: (event: ClientEvent) => {
        if (event.kind === "received" && event.message.type === "message") texts.push(event.message.text);
        if (event.kind === "told") told.push(...event.lines);
      },
      moved: (path: PairPath | undefined) => void paths.push(path?.kind),
      transfer: () => {},
    };
    const pair = new Pair(options, new Set());
    const timer = systemClock.every(50, () => pair.tick());
    cleanup.add(async () => {
      timer.stop();
      await pair.stop("over");
    });
    return { pair, texts, paths, told };
  };
  made.push(make(devices[0], devices[1], 1), make(devices[1], devices[0], 0));
  const [ana, bob] = made;
  if (ana === undefined || bob === undefined) throw new Error("there are two");
  return [ana, bob];
}

/** The port of a pair's addresses. */
function portOf({ pair }: Half): number {
  return parseAddress(pair.addresses()[0] ?? "").port;
}

let count = 0;
function say({ pair }: Half, text: string): void {
  count += 1;
  expect(pair.send(`id-${count}`, text)).toMatchObject({ ok: true });
}

test("what is said goes on over the relay when the direct path dies, and directly when it is back", async () => {
  const server = { isThere: true, lose: 0, frames: 0 };
  const [ana, bob] = await halves(server, false);
  const proxy = new Proxy(cleanup, { host: "127.0.0.1", port: portOf(bob) });
  ana.pair.reach([proxy.address]);
  await until(() => ana.pair.path?.kind === "local" && bob.pair.path?.kind === "local", "the direct path");
  say(ana, "one");
  await until(() => bob.texts.includes("one"), "the first message");
  // The way is cut, and nothing gets through it any more.
  proxy.isClosed = true;
  proxy.cut();
  say(ana, "two");
  await until(() => bob.texts.includes("two"), "the second message, over the relay");
  expect(ana.pair.path).toEqual({ kind: "relay", address: undefined });
  proxy.isClosed = false;
  ana.pair.hurry();
  await until(
    () => ana.pair.path?.kind === "local" && bob.pair.path?.kind === "local",
    "the direct path again",
  );
  await until(() => ana.paths.at(-1) === "local" && bob.paths.at(-1) === "local", "both know");
  say(bob, "three");
  await until(() => ana.texts.includes("three") && bob.texts.length === 3, "the third message");
  expect(bob.texts).toEqual(["one", "two", "three"]);
  expect(server.frames).toBeGreaterThan(4);
});

test("messages wait while there is no way at all, and come once, in order, when there is", async () => {
  const server = { isThere: false, lose: 0, frames: 0 };
  const [ana, bob] = await halves(server, true);
  for (let n = 1; n <= 5; n += 1) say(ana, `waiting ${n}`);
  expect(ana.pair.pending).toBe(5);
  server.isThere = true;
  for (const { pair } of [ana, bob]) pair.hurry();
  await until(() => bob.texts.length === 5, "all five");
  await until(() => ana.pair.pending === 0, "that ana knows");
  // A frame is lost with a server: the stream breaks, another follows, and nothing is missing or twice.
  server.lose = 1;
  for (let n = 6; n <= 40; n += 1) say(ana, `waiting ${n}`);
  await until(() => bob.texts.length === 40, "all forty", 30_000);
  expect(bob.texts).toEqual(Array.from({ length: 40 }, (_, n) => `waiting ${n + 1}`));
  await until(() => ana.texts.length === 40, "that all are delivered");
  expect([ana, bob].some(({ pair }) => pair.why().relay !== undefined)).toBe(true);
});

test("who is sent more than the memory for a path may take says so once, and takes no more of it", async () => {
  const server = { isThere: true, lose: 0, frames: 0 };
  const [ana, bob] = await halves(server, false);
  ana.pair.reach([{ host: "127.0.0.1", port: portOf(bob) }]);
  await until(() => ana.pair.isLinked && bob.pair.isLinked, "the direct path");
  // Whoever joined the other's mesh has its log now: until then what is written waits, and less of it is taken.
  say(ana, "first");
  await until(() => bob.texts.includes("first"), "the first message");
  const most = Math.ceil(directLimits.logBytes / 8_000);
  let refused: unknown;
  for (let n = 0; n <= most && refused === undefined; n += 1) {
    count += 1;
    const taken = ana.pair.send(`id-${count}`, `${n} ${"x".repeat(8_000)}`);
    if (!taken.ok) refused = taken.code;
    if (n % 50 === 0) await Bun.sleep(0);
  }
  expect(refused).toBe("store-failed");
  await until(() => ana.told.length > 0, "ana is told");
  expect(ana.told).toEqual([expect.stringContaining("no longer fits")]);
});
