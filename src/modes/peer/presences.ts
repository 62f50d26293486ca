/** Who of the mesh is there, told as the protocol tells of people who come, go, or are called otherwise. */
import { plainName } from "../../mesh/console/names.ts";
import type { PeerId } from "../../mesh/core/api.ts";
import type { PeerView } from "../../mesh/node/views.ts";
import type { Presence } from "../../protocol/messages.ts";

/** What it needs. */
export interface PresencesOptions {
  readonly self: PeerId;
  readonly peer: (peerId: PeerId) => PeerView | undefined;
  /** Tells every open room. */
  readonly everywhere: (make: (room: string) => Presence) => void;
  /** Somebody has a name now. */
  readonly named: (peerId: PeerId) => void;
  /** A member who was known in this run was put out. */
  readonly removed: (peer: PeerView, name: string, by: PeerId) => void;
}

/** See above. */
export class Presences {
  readonly #options: PresencesOptions;
  readonly #known = new Map<
    PeerId,
    { readonly name: string; readonly isHere: boolean; readonly isRemoved: boolean }
  >();

  constructor(options: PresencesOptions) {
    this.#options = options;
  }

  /** Another mesh: nobody is known there. */
  forget(): void {
    this.#known.clear();
  }

  /** Something about these members has changed. */
  changed(peerIds: readonly PeerId[]): void {
    for (const peerId of peerIds) {
      const peer = this.#options.peer(peerId);
      // Somebody without a name has just been let in; the name is on its way.
      if (peer?.nick !== undefined && peer.presence !== "self") this.#look(peerId, peer);
    }
  }

  #look(peerId: PeerId, peer: PeerView): void {
    const { self, everywhere, named, removed } = this.#options;
    named(peerId);
    const isRemoved = peer.removedBy !== undefined;
    const isHere = peer.presence !== "away" && !isRemoved;
    const before = this.#known.get(peerId);
    const name = plainName(peer);
    this.#known.set(peerId, { name, isHere, isRemoved });
    // Of members who were known in this run: what happened before it is history.
    if (before?.isRemoved === false && peer.removedBy !== undefined && peer.removedBy !== self) {
      removed(peer, name, peer.removedBy);
    }
    if (isHere !== (before?.isHere ?? false)) {
      everywhere((room) => ({ type: "presence", room, nick: name, state: isHere ? "join" : "leave" }));
    } else if (isHere && before !== undefined && before.name !== name) {
      const { name: nick } = before;
      everywhere((room) => ({ type: "presence", room, nick, state: "rename", to: name }));
    }
  }
}
