/** The addresses a node would dial: what people typed, what an invite says, what members announce. */
import { AddressError, formatAddress, parseAddress, type Address } from "../../protocol/address.ts";
import type { MeshCoreApi, PeerId } from "../core/api.ts";
import type { Invite } from "../pairing/invite.ts";
import type { KnownPeers } from "../pairing/known-peers.ts";
import type { DialTarget } from "./dial-plan.ts";

/** Where the addresses come from. */
export interface TargetSources {
  readonly typed: readonly Address[];
  readonly invite: Invite | undefined;
  readonly core: MeshCoreApi;
  readonly known: Pick<KnownPeers, "pinOf" | "pins">;
  /** What peers told of themselves by another way than the log. */
  readonly told: readonly { readonly address: Address; readonly peerId: PeerId }[];
  /** Where members' beacons came from, with the key that answered there, if one did. */
  readonly seen: readonly { readonly address: Address; readonly peerId: PeerId | undefined }[];
}

/** All of them; a typed address expects the key that answered there before, if any did. */
export function dialTargets({ typed, invite, core, known, told, seen }: TargetSources): DialTarget[] {
  const targets = typed.map((address): DialTarget => ({
    address,
    expected: known.pinOf(address),
    from: "typed",
  }));
  for (const address of invite?.addresses ?? [])
    targets.push({ address, expected: invite?.peerId, from: "invite" });
  // Where somebody answered before: all we have when the log did not arrive before the last end.
  for (const [address, expected] of known.pins()) {
    const standing = core.standing(expected);
    if (standing === "member" || standing === "open") targets.push({ address, expected, from: "known" });
  }
  for (const { peerId, addresses, removedBy } of core.members()) {
    if (peerId === core.self || removedBy !== undefined) continue;
    for (const text of addresses) {
      const address = readAddress(text);
      if (address !== undefined) targets.push({ address, expected: peerId, from: "member" });
    }
  }
  for (const { address, peerId } of told) targets.push({ address, expected: peerId, from: "told" });
  const named = new Set(targets.map(({ address }) => formatAddress(address)));
  for (const { address, peerId } of seen) {
    if (!named.has(formatAddress(address))) targets.push({ address, expected: peerId, from: "lan" });
  }
  return targets;
}

/** Announced by somebody else, so it may be anything. */
function readAddress(text: string): Address | undefined {
  try {
    return parseAddress(text);
  } catch (error) {
    if (error instanceof AddressError) return undefined;
    throw error;
  }
}
