import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { peerIdOf } from "../../src/identity/peer-id.ts";
import type { Standing } from "../../src/mesh/core/api.ts";
import type { Introduction, Proof } from "../../src/mesh/link/hello.ts";
import { judge, type Case } from "../../src/mesh/link/judge.ts";

const [low = "rt1", high = "rt1"] = [1, 200].map((fill) => peerIdOf(new Uint8Array(32).fill(fill))).sort();
const alone: Introduction = { situation: "alone", seeking: false, asked: false, invited: false };
const seeking: Introduction = { ...alone, seeking: true };
const member: Introduction = { ...alone, situation: "member" };
const asking: Introduction = { ...member, asked: true };
const young = (side: Introduction, rank: string): Introduction => ({ ...side, rank });
const stranger: Pick<Case, "proof" | "standing" | "moved"> = {
  proof: "none",
  standing: "unknown",
  moved: "nobody",
};

type Rest = Partial<typeof stranger>;
const asLow = (own: Introduction, theirs: Introduction, rest: Rest = {}) =>
  judge({ self: low, peer: high, own, theirs, ...stranger, ...rest });
const asHigh = (own: Introduction, theirs: Introduction, rest: Rest = {}) =>
  judge({ self: high, peer: low, own, theirs, ...stranger, ...rest });

const host = { act: "host", by: "first-use" } as const;
const join = { act: "join" } as const;
const apart = { act: "refuse", code: "different-mesh" } as const;

describe("rules", () => {
  test("who proves the secret and is known is linked", () => {
    for (const proof of ["current", "older"] as const) {
      expect(asLow(member, member, { proof, standing: "member" })).toEqual({ act: "link" });
    }
    expect(asLow(member, member, { proof: "current", standing: "open" })).toEqual({ act: "link" });
  });
  test("an unknown key is let in by the current secret, not by an old one", () => {
    expect(asLow(member, member, { proof: "current" })).toEqual({ act: "host", by: "secret" });
    expect(asLow(member, member, { proof: "older" })).toEqual({ act: "refuse", code: "unknown-key" });
  });
  test("a removed key is refused, whatever it brings", () => {
    const refused = { act: "refuse", code: "removed" } as const;
    expect(asLow(member, { ...alone, invited: true }, { proof: "current", standing: "removed" })).toEqual(
      refused,
    );
    expect(asLow(alone, seeking, { standing: "removed" })).toEqual(refused);
  });
  test("a member who lost everything but the key is told again", () => {
    expect(asLow(member, alone, { standing: "member" })).toEqual({ act: "host", by: "member" });
  });
  test("an invite decides who hosts, against every other rule", () => {
    expect(asHigh(alone, { ...seeking, invited: true })).toEqual({ act: "host", by: "invite" });
    expect(asLow({ ...alone, invited: true }, alone)).toEqual(join);
  });
  test("of two who are alone the one who looks for somebody joins, else the lower ID hosts", () => {
    expect([asLow(seeking, alone), asHigh(alone, seeking)]).toEqual([join, host]);
    expect([asLow(alone, seeking), asHigh(seeking, alone)]).toEqual([host, join]);
    for (const both of [alone, seeking])
      expect([asLow(both, both), asHigh(both, both)]).toEqual([host, join]);
  });
  test("a mesh with several members hosts who is alone, whoever looks for whom", () => {
    for (const one of [alone, seeking]) {
      expect([asHigh({ ...member, seeking: true }, one), asLow(one, { ...member, seeking: true })]).toEqual([
        host,
        join,
      ]);
    }
  });
  test("two meshes that are not young stay apart, whoever asks", () => {
    for (const [own, theirs] of [
      [member, member],
      [asking, member],
      [asking, asking],
    ] as const) {
      expect([asLow(own, theirs), asHigh(theirs, own)]).toEqual([apart, apart]);
    }
  });
  test("a young mesh gives way where its own people asked, and nobody is moved who did not", () => {
    expect([asLow(young(asking, "01"), member), asHigh(member, young(asking, "01"))]).toEqual([join, host]);
    expect([asLow(young(member, "01"), asking), asHigh(asking, young(member, "01"))]).toEqual([apart, apart]);
    expect([asLow(young(member, "01"), member), asHigh(member, young(member, "01"))]).toEqual([apart, apart]);
    // The one who did not ask stays, even at a higher rank.
    const [asker, other] = [young(asking, "01"), young(member, "02")];
    expect([asLow(asker, other), asHigh(other, asker)]).toEqual([join, host]);
  });
  test("where both asked, the old mesh stays, or that of the lower rank", () => {
    const [first, second] = [young(asking, "01"), young(asking, "02")];
    expect([asLow(first, second), asHigh(second, first)]).toEqual([host, join]);
    expect([asLow(asking, first), asHigh(first, asking)]).toEqual([host, join]);
    expect(asLow(first, first)).toEqual({ act: "refuse", code: "not-ready" });
  });
  test("who left our young mesh is followed, whatever the ranks", () => {
    const [mover, follower] = [young(member, "02"), young(member, "01")];
    expect(asLow(mover, follower, { moved: "ours" })).toEqual(host);
    expect(asHigh(follower, mover, { moved: "theirs" })).toEqual(join);
    expect([asLow(mover, member, { moved: "ours" }), asHigh(member, mover, { moved: "theirs" })]).toEqual([
      apart,
      apart,
    ]);
  });
});

test("two strangers always end with one host and one who joins, or both refuse", () => {
  const side = fc.record({
    situation: fc.constantFrom("alone" as const, "member" as const),
    seeking: fc.boolean(),
    asked: fc.boolean(),
    invited: fc.boolean(),
    rank: fc.constantFrom(undefined, "01", "02"),
  });
  const moved = fc.constantFrom(
    ["nobody", "nobody"] as const,
    ["ours", "theirs"] as const,
    ["theirs", "ours"] as const,
  );
  /** Only members have a rank, and none is no field at all. */
  const withRank = ({
    rank,
    ...rest
  }: Omit<Introduction, "rank"> & { rank: string | undefined }): Introduction =>
    rank === undefined || rest.situation === "alone" ? rest : { ...rest, rank };
  fc.assert(
    fc.property(side, side, moved, (first, second, [here, there]) => {
      const [one, other] = [withRank(first), withRank(second)];
      const verdicts = [asLow(one, other, { moved: here }), asHigh(other, one, { moved: there })];
      const acts = verdicts.map(({ act }) => act).toSorted();
      expect([
        ["host", "join"],
        ["refuse", "refuse"],
      ]).toContainEqual(acts);
      // Nobody leaves a mesh with others in it that is not young, unless by an invite.
      for (const [own, verdict] of [
        [one, verdicts[0]],
        [other, verdicts[1]],
      ] as const) {
        if (verdict?.act !== "join" || own.situation === "alone" || own.invited) continue;
        expect(own.rank !== undefined || one.invited || other.invited).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("no standing but removed keeps a proof of the current secret out", () => {
  const standings: Standing[] = ["member", "unknown", "open", "removed"];
  const proofs: Proof[] = ["current", "older", "none"];
  for (const standing of standings) {
    for (const proof of proofs) {
      const { act } = asLow(member, member, { proof, standing });
      expect(act === "link" || act === "host").toBe(
        standing !== "removed" && (proof === "current" || (proof === "older" && standing !== "unknown")),
      );
    }
  }
});
