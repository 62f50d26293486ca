/**
 * What people are called on the screen, and whom a typed name means.
 *
 * A nick is a wish, not an identity: anybody may take any. So a name whose key nobody has checked carries a `?`, two
 * members with one nick are told apart by the head of their IDs (`bob~p46h5`, longer where heads are alike), and a
 * typed name that could mean two people is refused instead of guessed.
 */
import { formatPeerId, parsePeerId } from "../../identity/peer-id.ts";
import { nameKey } from "../../protocol/names.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";
import type { PeerId } from "../core/api.ts";
import type { PeerView } from "../node/views.ts";
import type { PeerWords } from "./words.ts";

type Named = Pick<PeerView, "nick" | "nickShared" | "peerId" | "headSymbols">;

/** The head of an ID that tells namesakes apart: as a rule the first group. */
function idHead({ peerId, headSymbols }: Pick<Named, "peerId" | "headSymbols">): string {
  return symbolsOf(peerId).slice(0, headSymbols);
}

function symbolsOf(peerId: PeerId): string {
  return formatPeerId(peerId).split("-").slice(1).join("");
}

/** What somebody is called of whom nothing is known but the key. */
export function nameless(peerId: PeerId): string {
  return `~${idHead({ peerId, headSymbols: 5 })}`;
}

/** True when somebody has compared words with this key, or an invite pinned it. */
export function isTrusted(peer: Pick<PeerView, "known" | "presence">): boolean {
  return peer.presence === "self" || peer.known?.verifiedAt !== undefined || peer.known?.learned === "invite";
}

/** The name without the mark. Holds no control characters. */
export function plainName(peer: Named): string {
  if (peer.nick === undefined) return `~${idHead(peer)}`;
  const nick = sanitizeLine(peer.nick);
  return peer.nickShared ? `${nick}~${idHead(peer)}` : nick;
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
    ({ peerId }) =>
      head === undefined || symbolsOf(peerId).startsWith(head.toLowerCase().replaceAll("-", "")),
  );
  const [first, second] = found;
  if (first === undefined) return { problem: words.nobodyCalled(sanitizeLine(name)) };
  if (second === undefined) return first;
  const choices = found.map((peer) => `${plainName(peer).split("~")[0]}~${idHead(peer)}`);
  return { problem: words.severalCalled(sanitizeLine(name), choices) };
}
