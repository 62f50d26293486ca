/**
 * What people are called on the screen, and whom a typed name means.
 *
 * A nick is a wish, not an identity: anybody may take any. So a name whose key nobody has checked carries a `?`, two
 * members with one nick are told apart by the head of their IDs (`bob~p46h5`), and a typed name that could mean two
 * people is refused instead of guessed.
 */
import { formatPeerId, parsePeerId } from "../../identity/peer-id.ts";
import { nameKey } from "../../protocol/names.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";
import type { PeerId } from "../core/api.ts";
import type { PeerView } from "../node/views.ts";
import type { PeerWords } from "./words.ts";

/** The head of an ID that tells namesakes apart: the first group. */
function idHead(peerId: PeerId): string {
  return formatPeerId(peerId).split("-")[1] ?? "";
}

/** True when somebody has compared words with this key, or an invite pinned it. */
export function isTrusted(peer: Pick<PeerView, "known" | "presence">): boolean {
  return peer.presence === "self" || peer.known?.verifiedAt !== undefined || peer.known?.learned === "invite";
}

/** The name without the mark. Holds no control characters. */
export function plainName(peer: Pick<PeerView, "nick" | "nickShared" | "peerId">): string {
  if (peer.nick === undefined) return `~${idHead(peer.peerId)}`;
  const nick = sanitizeLine(peer.nick);
  return peer.nickShared ? `${nick}~${idHead(peer.peerId)}` : nick;
}

/** The name as shown, with `?` while the key is not checked. */
export function shownName(peer: PeerView): string {
  return isTrusted(peer) ? plainName(peer) : `${plainName(peer)}?`;
}

/** Whom `text` means: a nick, `nick~head`, `~head`, or a whole peer ID; a trailing `?` and a leading `@` are ignored. */
export function findPeer(
  text: string,
  peers: readonly PeerView[],
  words: Pick<PeerWords, "idUnknown" | "nobodyCalled" | "severalCalled">,
): PeerView | { readonly problem: string } {
  const name = text.replace(/^@/, "").replace(/\?$/, "");
  if (/^rt1/i.test(name)) {
    try {
      const peerId = parsePeerId(name);
      return peers.find((peer) => peer.peerId === peerId) ?? { problem: words.idUnknown };
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error) };
    }
  }
  const [nick = "", head] = name.split("~");
  const named = peers.filter(
    (peer) => nick === "" || (peer.nick !== undefined && nameKey(peer.nick) === nameKey(nick)),
  );
  const found = named.filter(
    ({ peerId }) => head === undefined || idHead(peerId).startsWith(head.toLowerCase()),
  );
  const [first, second] = found;
  if (first === undefined) return { problem: words.nobodyCalled(sanitizeLine(name)) };
  if (second === undefined) return first;
  const choices = found.map((peer) => `${plainName(peer).split("~")[0]}~${idHead(peer.peerId)}`);
  return { problem: words.severalCalled(sanitizeLine(name), choices) };
}
