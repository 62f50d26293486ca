/**
 * The up links, and which of them carries a peer's frames when there are two.
 *
 * Two links to one peer come about when both dial at once, or when one side notices later than the other that a link
 * is dead. One rule ends that: the side with the lower ID decides, keeps the newest and closes the rest; the other
 * side sends on the newest and takes frames from all, until the decision arrives. So both can never close each other's
 * choice, and a link that is dead without our knowing never keeps a living one out.
 *
 * A peer that should decide and does not has a few links at most; the oldest goes.
 *
 * A direct link is better than a relayed one, whichever is newer: both sides send on it, and the relayed one is closed.
 */
import { peerLinkLimits } from "../../protocol/limits.peer.ts";
import type { PeerId } from "../core/api.ts";
import type { Link } from "../link/link.ts";

/** What changed for a peer. */
export type LinkChange = "first" | "replaced" | "none" | "last";

/** All up links by peer, the newest last. */
export class PeerLinks {
  readonly #self: PeerId;
  readonly #links = new Map<PeerId, Link[]>();

  constructor(self: PeerId) {
    this.#self = self;
  }

  /** The link to send on, if the peer has one. */
  primary(peerId: PeerId): Link | undefined {
    const links = this.#links.get(peerId);
    return links?.findLast(({ socket }) => !socket.relayed) ?? links?.at(-1);
  }

  /** A link came up. Returns links to close, because it replaces them. */
  add(peerId: PeerId, link: Link): { change: LinkChange; close: readonly Link[] } {
    const older = this.#links.get(peerId) ?? [];
    if (older.length === 0) {
      this.#links.set(peerId, [link]);
      return { change: "first", close: [] };
    }
    const weDecide = this.#self < peerId;
    const isBetter = (one: Link): boolean =>
      link.socket.relayed && !one.socket.relayed && one.instance === link.instance;
    const before = this.primary(peerId);
    // A restarted process has forgotten its old links, so nobody else will close them.
    const close = older.filter((one) => (weDecide && !isBetter(one)) || one.instance !== link.instance);
    if (weDecide && older.some(isBetter)) close.push(link);
    // Who should decide and does not may not have one after the other.
    const left = older.filter((one) => !close.includes(one) && one !== before);
    close.push(...left.slice(0, Math.max(0, left.length + 2 - peerLinkLimits.perPeerMost)));
    this.#links.set(peerId, [...older.filter((one) => !close.includes(one)), link]);
    return { change: this.primary(peerId) === before ? "none" : "replaced", close };
  }

  /** A link ended. `replaced` means that another one is the primary now. */
  remove(peerId: PeerId, link: Link): LinkChange {
    const before = this.#links.get(peerId);
    if (before?.includes(link) !== true) return "none";
    const left = before.filter((one) => one !== link);
    if (left.length === 0) {
      this.#links.delete(peerId);
      return "last";
    }
    const primary = this.primary(peerId);
    this.#links.set(peerId, left);
    return primary === link ? "replaced" : "none";
  }
}
