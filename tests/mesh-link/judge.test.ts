import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { peerIdOf } from "../../src/identity/peer-id.ts";
import type { Standing } from "../../src/mesh/core/api.ts";
import type { Proof } from "../../src/mesh/link/hello.ts";
import { judge, type Case } from "../../src/mesh/link/judge.ts";

const [low = "rt1", high = "rt1"] = [1, 200].map((fill) => peerIdOf(new Uint8Array(32).fill(fill))).sort();
const alone = { situation: "alone", seeking: false, invited: false } as const;
const seeking = { situation: "alone", seeking: true, invited: false } as const;
const member = { situation: "member", seeking: false, invited: false } as const;
const stranger: Pick<Case, "proof" | "standing"> = { proof: "none", standing: "unknown" };

const asLow = (own: Case["own"], theirs: Case["theirs"], rest = stranger) =>
  judge({ self: low, peer: high, own, theirs, ...rest });
const asHigh = (own: Case["own"], theirs: Case["theirs"], rest = stranger) =>
  judge({ self: high, peer: low, own, theirs, ...rest });

describe("rules", () => {
  test("who proves the secret and is known is linked", () => {
    for (const proof of ["current", "older"] as const) {
      expect(asLow(member, member, { proof, standing: "member" })).toEqual({ act: "link" });
    }
    expect(asLow(member, member, { proof: "current", standing: "open" })).toEqual({ act: "link" });
  });
  test("an unknown key is let in by the current secret, not by an old one", () => {
    expect(asLow(member, member, { proof: "current", standing: "unknown" })).toEqual({
      act: "admit",
      by: "secret",
    });
    expect(asLow(member, member, { proof: "older", standing: "unknown" })).toEqual({
      act: "refuse",
      code: "unknown-key",
    });
  });
  test("a removed key is refused, whatever it brings", () => {
    const refused = { act: "refuse", code: "removed" } as const;
    expect(asLow(member, { ...alone, invited: true }, { proof: "current", standing: "removed" })).toEqual(
      refused,
    );
    expect(asLow(alone, seeking, { proof: "none", standing: "removed" })).toEqual(refused);
  });
  test("a member who lost everything but the key is told again", () => {
    expect(asLow(member, alone, { proof: "none", standing: "member" })).toEqual({
      act: "admit",
      by: "member",
    });
  });
  test("two meshes that are not young do not merge", () => {
    expect(asLow(member, member)).toEqual({ act: "refuse", code: "different-mesh" });
  });
  test("of two meshes the young one gives way, of two young ones the higher rank", () => {
    const [first, second] = [
      { ...member, rank: "01" },
      { ...member, rank: "02" },
    ];
    expect(asLow(first, second)).toEqual({ act: "admit", by: "first-use" });
    expect(asLow(second, first)).toEqual({ act: "await-admission" });
    expect(asLow(first, member)).toEqual({ act: "await-admission" });
    expect(asHigh(member, first)).toEqual({ act: "admit", by: "first-use" });
    expect(asHigh(first, first)).toEqual({ act: "refuse", code: "not-ready" });
  });
  test("an invite decides who hosts, against every other rule", () => {
    expect(asHigh(alone, { ...seeking, invited: true })).toEqual({ act: "admit", by: "invite" });
    expect(asLow({ ...alone, invited: true }, alone)).toEqual({ act: "await-admission" });
  });
});

/** Only members have a rank, and none is no field at all. */
function withRank({ rank, ...side }: Omit<Case["own"], "rank"> & { rank: string | undefined }): Case["own"] {
  return rank === undefined || side.situation === "alone" ? side : { ...side, rank };
}

test("two strangers always end with one host and one who joins, or both refuse", () => {
  const side = fc.record({
    situation: fc.constantFrom("alone" as const, "member" as const),
    seeking: fc.boolean(),
    invited: fc.boolean(),
    rank: fc.constantFrom(undefined, "01", "02"),
  });
  fc.assert(
    fc.property(side, side, (first, second) => {
      const [one, other] = [withRank(first), withRank(second)];
      const acts = [asLow(one, other).act, asHigh(other, one).act].toSorted();
      expect([
        ["admit", "await-admission"],
        ["refuse", "refuse"],
      ]).toContainEqual(acts);
      const bothMembers =
        one.situation === "member" && other.situation === "member" && !one.invited && !other.invited;
      expect(acts[0] === "refuse").toBe(bothMembers && one.rank === other.rank);
    }),
  );
});

test("no standing but removed keeps a proof of the current secret out", () => {
  const standings: Standing[] = ["member", "unknown", "open", "removed"];
  const proofs: Proof[] = ["current", "older", "none"];
  for (const standing of standings) {
    for (const proof of proofs) {
      const { act } = asLow(member, member, { proof, standing });
      expect(act === "link" || act === "admit").toBe(
        standing !== "removed" && (proof === "current" || (proof === "older" && standing !== "unknown")),
      );
    }
  }
});
