/** Introductions and the relay, by hubs of one cluster: who learns what, and whom a flood hurts. */
import { describe, expect, test } from "bun:test";
import type { HubLimits } from "../../src/hub/options.ts";
import { makePass, pairOf, readPass } from "../../src/hub/pass.ts";
import type { Introduction, ServerMessage } from "../../src/protocol/messages.ts";
import { secret, World } from "./support/world.ts";

const keyOfAna = `rt1${"p".repeat(59)}`;
const keyOfBob = `rt1${"q".repeat(59)}`;

function introductions(heard: readonly ServerMessage[]): Introduction[] {
  return heard.filter((one) => one.type === "introduction");
}
const codes = (heard: readonly ServerMessage[]) => heard.flatMap((one) => ("code" in one ? [one.code] : []));

/** Two people at two servers, or at one. */
function couple(servers: 1 | 2, limits: Partial<HubLimits> = {}) {
  const world = new World(limits);
  const one = world.site();
  const two = servers === 1 ? one : world.site();
  return { world, one, two, ana: world.person(one, "ana"), bob: world.person(two, "bob") };
}

/** Both have given their keys; each has a pass to the other. */
function introduced(servers: 1 | 2, limits: Partial<HubLimits> = {}) {
  const setting = couple(servers, limits);
  const { world, ana, bob } = setting;
  world.ask(bob, { type: "introduce", to: "ana", key: keyOfBob });
  const [toBob] = introductions(ana.heard());
  world.ask(ana, { type: "introduce", to: "bob", key: keyOfAna, addresses: ["192.0.2.1:9"] });
  const [toAna] = introductions(bob.heard());
  const frame = (more: object) => ({ type: "relay", stream: "s", ...more });
  return {
    ...setting,
    pair: toBob?.pair,
    fromAna: (more: object) => frame({ pass: toBob?.pass, ...more }),
    fromBob: (more: object) => frame({ pass: toAna?.pass, ...more }),
  };
}

for (const servers of [1, 2] as const) {
  describe(`on ${servers} server${servers === 1 ? "" : "s"}`, () => {
    test("who is asked learns a nick, and who asks learns nothing", () => {
      const { world, ana, bob } = couple(servers);
      const answers = world.ask(ana, { type: "introduce", to: "BOB", id: "1" });
      const [asked] = introductions(bob.heard());
      expect(Object.keys(asked ?? {}).toSorted()).toEqual(["nick", "pair", "type"]);
      expect(asked?.nick).toBe("ana");
      expect(answers).toEqual([{ type: "introduce", id: "1", nick: "bob", pair: asked?.pair ?? "" }]);
    });

    test("a key brings a pass; addresses bring the host that the cluster sees as well", () => {
      const { world, ana, bob } = couple(servers);
      world.ask(ana, { type: "introduce", to: "bob", key: keyOfAna });
      const [agreed] = introductions(bob.heard());
      expect(agreed).toMatchObject({ key: keyOfAna, pass: expect.any(String) });
      expect(agreed).not.toHaveProperty("seen");
      world.ask(ana, { type: "introduce", to: "bob", key: keyOfAna, addresses: ["192.0.2.1:9"] });
      const [met] = introductions(bob.heard());
      expect(met).toMatchObject({ addresses: ["192.0.2.1:9"], seen: expect.stringMatching(/^[\d.]+$/) });
      expect(met?.pair).toBe(agreed?.pair ?? "");
    });

    test("bytes go both ways, in order, and unknown fields do not", () => {
      const { world, ana, bob, pair, fromAna, fromBob } = introduced(servers);
      const answers = world.ask(
        ana,
        fromAna({ seq: 0, data: "aGk=" }),
        fromAna({ seq: 1, data: "eW91", nick: "eve" }),
      );
      expect(answers).toEqual([]);
      expect(bob.heard()).toEqual([
        { type: "relay", pair: pair ?? "", stream: "s", seq: 0, data: "aGk=" },
        { type: "relay", pair: pair ?? "", stream: "s", seq: 1, data: "eW91" },
      ]);
      world.ask(bob, fromBob({ ack: 5 }), fromBob({ end: true }));
      expect(ana.heard()).toEqual([
        { type: "relay", pair: pair ?? "", stream: "s", ack: 5 },
        { type: "relay", pair: pair ?? "", stream: "s", end: true },
      ]);
    });

    test("a sender whom nobody acknowledges is stopped, and goes on after an ack", () => {
      const { world, ana, bob, fromAna, fromBob } = introduced(servers);
      const data = "A".repeat(16 * 1024);
      const flood = Array.from({ length: 20 }, (_, seq) => fromAna({ seq, data, id: String(seq) }));
      expect(codes(world.ask(ana, ...flood))).toEqual(Array.from({ length: 8 }, () => "relay-full"));
      expect(bob.heard()).toHaveLength(12);
      world.ask(bob, fromBob({ ack: 1 }));
      expect(codes(world.ask(ana, fromAna({ data })))).toEqual([]);
      expect(bob.heard()).toHaveLength(1);
    });

    test("who has said no hears nothing more, until they agree again", () => {
      const { world, ana, bob, fromAna } = introduced(servers);
      world.ask(bob, { type: "introduce", to: "ana", end: true });
      expect(introductions(ana.heard())).toMatchObject([{ nick: "bob", end: true }]);
      expect(world.ask(ana, fromAna({ data: "aGk=" }))).toEqual([]);
      expect(bob.heard()).toEqual([]);
      world.ask(bob, { type: "introduce", to: "ana", key: keyOfBob });
      world.ask(ana, fromAna({ data: "aGk=" }));
      expect(bob.heard().map(({ type }) => type)).toContain("relay");
    });
  });
}

test("what is for one session does not reach whoever has its nick now", () => {
  const { world, two, ana, bob, pair } = introduced(2);
  const card = { type: "introduce", to: "bob", key: keyOfAna, addresses: ["192.0.2.1:9"], pair };
  expect(codes(world.ask(ana, card))).toEqual([]);
  world.ask(bob, { type: "bye" });
  const eve = world.person(two, "bob");
  expect(codes(world.ask(ana, card))).toEqual(["not-introduced"]);
  expect(introductions(eve.heard())).toEqual([]);
  expect(codes(world.ask(ana, { ...card, pair: undefined }))).toEqual([]);
  expect(introductions(eve.heard())).toHaveLength(1);
});

test("a flood of frames and of introductions is refused, and nobody else's frames are", () => {
  const { world, one, ana, bob, fromAna, fromBob } = introduced(2);
  const acks = Array.from({ length: 2_000 }, () => fromAna({ ack: 1 }));
  const refused = codes(world.ask(ana, ...acks)).filter((code) => code === "rate-limited").length;
  expect(refused).toBe(2_000 - 1_024);
  expect(codes(world.ask(bob, fromBob({ data: "aGk=" })))).toEqual([]);
  const eve = world.person(one, "eve");
  const rings = Array.from({ length: 30 }, () => ({ type: "introduce", to: "bob" }));
  expect(codes(world.ask(eve, ...rings))).toHaveLength(10);
  world.clock.advance(2_000);
  expect(codes(world.ask(eve, ...rings))).toHaveLength(29);
});

test("all sessions of a server together relay no more than it has to spare", () => {
  const { world, ana, bob, fromAna, fromBob } = introduced(1, { relayPerSecondServer: 10 * 1024 });
  const data = "A".repeat(4 * 1024);
  expect(codes(world.ask(ana, fromAna({ seq: 0, data }), fromAna({ seq: 1, data })))).toEqual([]);
  // Bob has relayed nothing yet, and there is nothing left for him all the same.
  expect(codes(world.ask(bob, fromBob({ seq: 0, data })))).toEqual(["rate-limited"]);
  world.clock.advance(1_000);
  expect(codes(world.ask(bob, fromBob({ seq: 0, data })))).toEqual([]);
});

test("a pass is good for its holder alone, for an hour, on every server", () => {
  const { world, one, two, ana, bob, fromAna } = introduced(2);
  const eve = world.person(one, "eve");
  expect(codes(world.ask(eve, fromAna({ data: "aGk=" })))).toEqual(["not-introduced"]);
  // Ana's server dies; the next one knows her by her token alone.
  const handover = one.edge.handover(ana.id);
  one.edge.detach();
  world.settle();
  const moved = two.edge.resume(handover);
  world.settle();
  expect(codes(world.ask(moved, fromAna({ data: "aGk=" })))).toEqual([]);
  expect(bob.heard().filter(({ type }) => type === "relay")).toHaveLength(1);
  world.clock.advance(3_600_000);
  expect(codes(world.ask(moved, fromAna({ data: "aGk=" })))).toEqual(["not-introduced"]);
});

test("passes read as they were written, and not otherwise", () => {
  const pass = { holder: "one", to: "two", until: 5 };
  const text = makePass(secret, pass);
  expect(readPass(secret, text)).toEqual(pass);
  for (const at of [0, 10, text.length - 1]) {
    const other = text[at] === "A" ? "B" : "A";
    expect(readPass(secret, text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined();
  }
  expect(readPass(new Uint8Array(32), text)).toBeUndefined();
  for (const bad of ["", ".", "a.b", `${text}.x`, "a".repeat(2_000)])
    expect(readPass(secret, bad)).toBeUndefined();
  expect(pairOf(secret, "one", "two")).toBe(pairOf(secret, "two", "one"));
  expect(pairOf(secret, "one", "two")).not.toBe(pairOf(secret, "one", "three"));
});
