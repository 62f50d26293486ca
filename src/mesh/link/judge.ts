/**
 * The decision on a link, after both Hellos: link, let in, ask to be let in, or refuse. A pure table.
 *
 * Both sides judge for themselves, from what each has proved, and the rules are symmetric, so that without a further
 * question exactly one side hosts and the other joins:
 *
 *  1. Removed keys are refused, whatever they prove.
 *  2. Who proves the mesh secret is in the mesh. A key that our log does not know yet, but that proves the current
 *     secret, was let in by somebody we have not heard from: we let it in as well (twice does no harm).
 *  3. Otherwise a mesh with several members hosts, and the one who is alone joins. Of two meshes with several members
 *     one gives way only while it is young and open to strangers (several people who started at the same moment and
 *     found each other in pairs): an older one stays, of two young ones the lower rank. Ranks are a total order that
 *     does not change, so everybody only ever moves downwards, and soon all are in one. Two old meshes never merge.
 *  4. Of two who are alone, the one that was started to join somebody joins; if both or neither were, the lower ID
 *     hosts, so that two people who dial each other at the same moment end in one mesh.
 *  5. The host lets a stranger in by a valid invite, or on first use when its mesh is open.
 */
import type { PeerId, Standing } from "../core/api.ts";
import type { Introduction, Proof } from "./hello.ts";

/** What one side knows when it judges. */
export interface Case {
  readonly self: PeerId;
  readonly peer: PeerId;
  readonly own: Introduction & { readonly invited: boolean };
  readonly theirs: Introduction & { readonly invited: boolean };
  /** What their tags prove to us. */
  readonly proof: Proof;
  readonly standing: Standing;
}

/** What to do. `admit` names why; the policy (open or by invite only) is checked by who carries it out. */
export type Verdict =
  | { readonly act: "link" }
  | { readonly act: "admit"; readonly by: "secret" | "invite" | "first-use" | "member" }
  | { readonly act: "await-admission" }
  | { readonly act: "refuse"; readonly code: "removed" | "different-mesh" | "not-ready" | "unknown-key" };

/** Judges a link; see the rules above. */
export function judge(link: Case): Verdict {
  const { self, peer, own, theirs, proof, standing } = link;
  if (standing === "removed") return { act: "refuse", code: "removed" };
  if (proof !== "none") return judgeProved(proof, standing);
  if (own.invited || theirs.invited) {
    const weHost = own.invited === theirs.invited ? self < peer : theirs.invited;
    return weHost ? hostFor(standing, "invite") : { act: "await-admission" };
  }
  const bothMembers = own.situation === "member" && theirs.situation === "member";
  if (bothMembers && own.rank === theirs.rank) {
    // Of one rank they are in the same mesh, and one side does not know its secret yet.
    return { act: "refuse", code: own.rank === undefined ? "different-mesh" : "not-ready" };
  }
  const weHost = bothMembers ? (own.rank ?? "") < (theirs.rank ?? "") : hostsOneAlone(link);
  return weHost ? hostFor(standing, "first-use") : { act: "await-admission" };
}

function judgeProved(proof: Proof, standing: Standing): Verdict {
  if (standing !== "unknown") return { act: "link" };
  return proof === "current" ? { act: "admit", by: "secret" } : { act: "refuse", code: "unknown-key" };
}

/** A member who does not prove the secret lost it, or never got our answer: the key is known, so it is told again. */
function hostFor(standing: Standing, by: "invite" | "first-use"): Verdict {
  return { act: "admit", by: standing === "member" ? "member" : by };
}

/** At least one of the two is alone. */
function hostsOneAlone({ own, theirs, self, peer }: Case): boolean {
  if (own.situation !== theirs.situation) return own.situation === "member";
  if (own.seeking !== theirs.seeking) return theirs.seeking;
  return self < peer;
}
