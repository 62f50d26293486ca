/** Whom a peer can send files to: those it has a link with. */
import { isPeerId } from "../../identity/peer-id.ts";
import { findPeer, nameless, plainName } from "../../mesh/console/names.ts";
import type { MeshNode } from "../../mesh/node/node.ts";
import type { Words } from "../../tui/language/words.ts";
import type { FileParties } from "../files/commands.ts";

/** See above. */
export function fileParties(node: MeshNode, words: Words): FileParties {
  const nameOf = (peer: string): string => {
    const known = node.peers().find(({ peerId }) => peerId === peer);
    if (known !== undefined) return plainName(known);
    return isPeerId(peer) ? nameless(peer) : "?";
  };
  return {
    exchange: node.transfers.exchange,
    nameOf,
    reachable: () => node.core.links(),
    find(name) {
      const found = findPeer(name, node.peers(), words.peers);
      if ("problem" in found) return found;
      const { peerId, presence } = found;
      const reach = presence === "self" ? "self" : presence === "linked" ? "direct" : "none";
      return { peer: peerId, nick: plainName(found), reach };
    },
  };
}
