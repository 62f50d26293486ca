/** Whom to dial and when: nobody's addresses keep others from being dialled. */
import { expect, test } from "bun:test";
import { peerIdOf, type PeerId } from "../../src/identity/peer-id.ts";
import { DialPlan, type DialTarget } from "../../src/mesh/node/dial-plan.ts";

const peer = (number: number): PeerId => peerIdOf(new Uint8Array(32).fill(number));
const target = (
  host: string,
  expected: PeerId | undefined,
  from: DialTarget["from"] = "member",
): DialTarget => ({
  address: { host, port: 5_002 },
  expected,
  from,
});

test("one who announces other addresses where nobody answers, again and again, does not hold up the rest", () => {
  const plan = new DialPlan(peer(9), () => 0.5);
  const ben = target("192.0.2.1", peer(1));
  let [dials, dialledBen] = [0, 0];
  const open: { target: DialTarget; until: number }[] = [];
  for (let now = 0; now < 120_000; now += 100) {
    for (const one of open.filter(({ until }) => until <= now)) {
      open.splice(open.indexOf(one), 1);
      plan.failed(one.target, { code: "connect-timeout", detail: "" }, now, now);
    }
    // Sixteen addresses, others every two seconds.
    const eve = Array.from({ length: 16 }, (_, i) => target(`198.51.100.${i}`, peer(2)));
    const moved = eve.map((one) => ({
      ...one,
      address: { ...one.address, port: 1 + Math.floor(now / 2_000) },
    }));
    for (const chosen of plan.due(now, [...moved, ben], () => false)) {
      dials += 1;
      if (chosen.expected === peer(1)) dialledBen += 1;
      // The firewall of ben's machine answers at once, eve's addresses never.
      open.push({ target: chosen, until: now + (chosen.expected === peer(1) ? 100 : 8_000) });
    }
  }
  expect(dials).toBeGreaterThan(10);
  // 1, 2, 4, 8, … 60 s between two attempts.
  expect(dialledBen).toBeGreaterThanOrEqual(6);
});

test("a key that has changed is looked for again: whoever stood in between may be gone", () => {
  const plan = new DialPlan(peer(9), () => 0.5);
  const ben = target("192.0.2.1", peer(1), "typed");
  expect(plan.due(0, [ben], () => false)).toEqual([ben]);
  plan.failed(ben, { code: "changed-key", detail: "" }, 10, 10);
  expect(plan.due(1_000, [ben], () => false)).toEqual([]);
  expect(plan.due(120_000, [ben], () => false)).toEqual([ben]);
});
