/** Two people in a private mesh: over a relay, directly, and from one to the other. */
import { afterEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PeerId } from "../../src/identity/peer-id.ts";
import type { NodeEvent } from "../../src/mesh/node/events.ts";
import { MeshNode } from "../../src/mesh/node/node.ts";
import { MemoryHome, MemoryMeshes } from "../../src/mesh/node/private-pair.ts";
import { KnownPeers } from "../../src/mesh/pairing/known-peers.ts";
import { DiskFiles } from "../../src/mesh/transfer/disk-files.ts";
import { RelayPace } from "../../src/mesh/relay/pace.ts";
import { RelayStream } from "../../src/mesh/relay/stream.ts";
import { tlsInPipe } from "../../src/net/tls-pipe.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { Cleanup, until, type Person } from "../mesh-link/support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

interface Half {
  readonly node: MeshNode;
  readonly person: Person;
  readonly events: NodeEvent[];
  readonly known: KnownPeers;
}

async function half(person: Person, partner: PeerId, nick: string, isHidden: boolean): Promise<Half> {
  const events: NodeEvent[] = [];
  const known = new KnownPeers(join(cleanup.directory(), "known.json"));
  const { identity } = person;
  const shared = {
    identity,
    clock: systemClock,
    random: Math.random,
    randomBytes: (length: number) => new Uint8Array(randomBytes(length)),
  };
  const node = new MeshNode({
    ...shared,
    tls: person,
    home: new MemoryHome(known, partner),
    opener: new MemoryMeshes(shared),
    nick,
    fallbackNick: nick,
    listen: { host: "127.0.0.1", port: 0 },
    partner,
    isHidden,
    connect: [],
    invite: undefined,
    inviteOnly: false,
    announce: undefined,
    lan: false,
    files: new DiskFiles(join(cleanup.directory(), "downloads")),
    onEvent: (event) => events.push(event),
  });
  node.start();
  cleanup.add(() => node.stop());
  return { node, person, events, known };
}

async function halves(isHidden: boolean): Promise<[Half, Half]> {
  const [ana, bob] = [await cleanup.person(), await cleanup.person()];
  return [
    await half(ana, bob.identity.peerId, "ana", isHidden),
    await half(bob, ana.identity.peerId, "bob", isHidden),
  ];
}

/** A stream between the two, with TLS in it. @returns whether it is over on both sides */
function relay(one: Half, two: Half): () => boolean {
  const pace = new RelayPace(systemClock);
  const ends: RelayStream[] = [];
  for (const [index, { node, person }] of [one, two].entries()) {
    const pipe = new RelayStream({
      stream: "s",
      clock: systemClock,
      pace,
      send: (frame) => {
        setImmediate(() => ends[1 - index]?.receive(frame));
        return true;
      },
    });
    ends.push(pipe);
    const opened = node.attach.bind(node);
    const dials = node.self < (index === 0 ? two : one).node.self;
    tlsInPipe({ pipe, dials, identity: person, clock: systemClock, name: "relay", opened, failed: () => {} });
  }
  return () => ends.every(({ destroyed }) => destroyed);
}

const paths = ({ events }: Half) =>
  events.flatMap((event) =>
    event.type === "linked" ? [event.path] : event.type === "unlinked" ? ["-"] : [],
  );
const texts = ({ node }: Half) => node.core.timeline({ room: "two" }, 100).map(({ text }) => text);
const say = ({ node }: Half, text: string) => node.publish({ kind: "chat", room: "two", text });

describe("a mesh of two", () => {
  test("meets over a relay, and what was written before is there", async () => {
    const [ana, bob] = await halves(true);
    say(ana, "before");
    relay(ana, bob);
    await until(() => texts(bob).includes("before"), "what ana wrote before");
    say(bob, "after");
    await until(() => texts(ana).join() === "before,after", "both messages");
    expect([paths(ana), paths(bob)]).toEqual([["relay"], ["relay"]]);
    expect(ana.node.words(bob.node.self)).toEqual(bob.node.words(ana.node.self));
    expect(ana.node.addresses()).toEqual([]);
    expect(ana.node.port).toBeUndefined();
    // Whoever hides does not dial either, whatever is told or asked.
    ana.node.reach(bob.node.self, [{ host: "127.0.0.1", port: 1 }]);
    ana.node.retry();
    expect(ana.node.why().attempts).toEqual([]);
  });

  test("goes on directly when a direct path comes up, and over the relay when that dies", async () => {
    const [ana, bob] = await halves(false);
    relay(ana, bob);
    await until(() => paths(ana).includes("relay") && paths(bob).includes("relay"), "the relayed link");
    ana.node.reach(bob.node.self, [{ host: "127.0.0.1", port: bob.node.port ?? 0 }]);
    await until(() => paths(ana).at(-1) === "local" && paths(bob).at(-1) === "local", "the direct link");
    say(ana, "directly");
    await until(() => texts(bob).includes("directly"), "the message");
    // Its end may be noticed just before the new one is up.
    const kinds = (one: Half) => paths(one).filter((path) => path !== "-");
    expect(kinds(ana)).toEqual(["relay", "local"]);
    // A relayed link that comes later does not replace a direct one.
    relay(ana, bob);
    say(bob, "still");
    await until(() => texts(ana).includes("still"), "the next message");
    expect(kinds(bob)).toEqual(["relay", "local"]);
  });

  test("sends files directly when a relayed link has come up beside the direct one, and gone", async () => {
    const [ana, bob] = await halves(false);
    ana.node.reach(bob.node.self, [{ host: "127.0.0.1", port: bob.node.port ?? 0 }]);
    await until(() => paths(ana).at(-1) === "local" && paths(bob).at(-1) === "local", "the direct link");
    const isOver = relay(ana, bob);
    await until(isOver, "the relayed link is closed again");
    const path = join(cleanup.directory(), "notes.txt");
    writeFileSync(path, "which way?");
    for (const [from, to] of [
      [ana, bob],
      [bob, ana],
    ] as const) {
      const transfers = () =>
        to.events.flatMap((event) => (event.type === "transfer" ? [event.transfer] : []));
      from.node.transfers.exchange.offer(to.node.self, path);
      const offered = () => transfers().find(({ direction }) => direction === "in");
      await until(() => offered() !== undefined, "the offer");
      to.node.transfers.exchange.accept(offered()?.number ?? 0);
      const done = () => transfers().find(({ direction, state }) => direction === "in" && state === "done");
      await until(() => done() !== undefined, "the file");
      expect(readFileSync(done()?.path ?? "", "utf8")).toBe("which way?");
    }
  });

  test("is closed to everybody else, whoever dials", async () => {
    const [ana, bob] = await halves(false);
    const eve = await cleanup.person();
    const other = await half(eve, ana.node.self, "eve", false);
    other.node.reach(ana.node.self, [{ host: "127.0.0.1", port: ana.node.port ?? 0 }]);
    await until(
      () => ana.events.some((event) => event.type === "turned-away" && event.failure.code === "other-key"),
      "eve's refusal",
    );
    ana.node.reach(bob.node.self, [{ host: "127.0.0.1", port: other.node.port ?? 0 }]);
    await until(
      () => ana.node.why(bob.node.self).attempts.some(({ lastFailure }) => lastFailure?.code === "other-key"),
      "the wrong key at bob's address",
    );
    expect(paths(ana)).toEqual([]);
    expect(ana.node.core.members()).toHaveLength(1);
  });

  test("is found again by somebody who comes back with an empty memory", async () => {
    const [ana, bob] = await halves(true);
    relay(ana, bob);
    await until(() => paths(ana).length > 0 && paths(bob).length > 0, "the first link");
    say(ana, "one");
    await until(() => texts(bob).includes("one"), "the first message");
    await bob.node.stop();
    await until(() => paths(ana).at(-1) === "-", "the end of the link");
    say(ana, "two");
    const again = await half(bob.person, ana.node.self, "bob", true);
    relay(ana, again);
    await until(() => texts(again).join() === "one,two", "all of it");
  });
});
