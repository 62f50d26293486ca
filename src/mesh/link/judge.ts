/**
 * The decision on a link, after both Hellos: link, host, join, or refuse. A pure table.
 *
 * Both sides judge for themselves, from what each has proved, and the rules are symmetric, so that without a further
 * question exactly one side hosts and the other joins:
 *
 *  1. Removed keys are refused, whatever they prove.
 *  2. Who proves the mesh secret is in the mesh. A key that our log does not know yet, but that proves the current
 *     secret, was let in by somebody we have not heard from: we let it in as well (twice does no harm).
 *  3. With an invite on one side the other hosts.
 *  4. A mesh with several members hosts, and the one who is alone joins. Of two who are alone, the one that was started
 *     to join somebody joins; if both or neither were, the lower ID hosts, so that two people who dial each other at the
 *     same moment end in one mesh.
 *  5. Two meshes with several members stay apart, unless one is young and open to strangers (several people started at
 *     the same moment and found each other in pairs). Then the side whose person asked for the other joins, if it is
 *     young; if both asked, the young one, and of two young ones that of the higher rank. Nobody is moved who did not
 *     ask, with one exception: who proves to have left our young mesh for another one is followed there.
 *  6. The host lets a stranger in by a valid invite, or on first use when its mesh is open.
 */
import type { PeerId, Standing } from "../core/api.ts";
import type { Introduction, Proof } from "./hello.ts";

/** What one side knows when it judges. */
export interface Case {
  readonly self: PeerId;
  readonly peer: PeerId;
  readonly own: Introduction;
  readonly theirs: Introduction;
  /** What their tags prove to us. */
  readonly proof: Proof;
  /** They prove to be in a mesh that we left (`ours`), or to have left the one we are in (`theirs`). */
  readonly moved: "ours" | "theirs" | "nobody";
  readonly standing: Standing;
}

/** What to do. `host` names why; the policy (open or by invite only) is checked by who carries it out. */
export type Verdict =
  | { readonly act: "link" }
  | { readonly act: "host"; readonly by: "secret" | "invite" | "first-use" | "member" }
  | { readonly act: "join" }
  | { readonly act: "refuse"; readonly code: "removed" | "different-mesh" | "not-ready" | "unknown-key" };

const join: Verdict = { act: "join" };
const stayApart: Verdict = { act: "refuse", code: "different-mesh" };

/** Judges a link; see the rules above. */
export function judge(link: Case): Verdict {
  const { self, peer, own, theirs, proof, standing } = link;
  if (standing === "removed") return { act: "refuse", code: "removed" };
  if (proof !== "none") return judgeProved(proof, standing);
  if (own.invited || theirs.invited) {
    const weHost = own.invited === theirs.invited ? self < peer : theirs.invited;
    return weHost ? hostFor(standing, "invite") : join;
  }
  if (own.situation === "member" && theirs.situation === "member") return judgeMembers(link);
  return hostsOneAlone(link) ? hostFor(standing, "first-use") : join;
}

function judgeProved(proof: Proof, standing: Standing): Verdict {
  if (standing !== "unknown") return { act: "link" };
  return proof === "current" ? { act: "host", by: "secret" } : { act: "refuse", code: "unknown-key" };
}

/** Both are in meshes with others, and have no secret in common. A rank is what a mesh has that may be given up. */
function judgeMembers({ own, theirs, moved, standing }: Case): Verdict {
  const host = hostFor(standing, "first-use");
  if (moved === "ours") return theirs.rank === undefined ? stayApart : host;
  if (moved === "theirs") return own.rank === undefined ? stayApart : join;
  if (own.asked !== theirs.asked) {
    const [asker, verdict] = own.asked ? [own, join] : [theirs, host];
    return asker.rank === undefined ? stayApart : verdict;
  }
  if (!own.asked) return stayApart;
  if (own.rank === theirs.rank) {
    // Of one rank they are in the same mesh, and one side does not know its secret yet.
    return own.rank === undefined ? stayApart : { act: "refuse", code: "not-ready" };
  }
  return (own.rank ?? "") < (theirs.rank ?? "") ? host : join;
}

/** A member who does not prove the secret lost it, or never got our answer: the key is known, so it is told again. */
function hostFor(standing: Standing, by: "invite" | "first-use"): Verdict {
  return { act: "host", by: standing === "member" ? "member" : by };
}

/** At least one of the two is alone. */
function hostsOneAlone({ own, theirs, self, peer }: Case): boolean {
  if (own.situation !== theirs.situation) return own.situation === "member";
  if (own.seeking !== theirs.seeking) return theirs.seeking;
  return self < peer;
}
