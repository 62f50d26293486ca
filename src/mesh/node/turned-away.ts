/** Who came to our port and was not let in: the latest of them, for `/why`. */
import type { TlsFailure } from "../../net/tls-failure.ts";
import type { Address } from "../../protocol/address.ts";
import type { Clock } from "../../protocol/clock.ts";
import { peerNodeLimits } from "../../protocol/limits.peer.ts";
import type { PeerId } from "../core/api.ts";
import type { LinkFailure } from "../link/failures.ts";
import type { NodeEvent } from "./events.ts";
import type { TurnedAway } from "./views.ts";

/** See above; the newest first. */
export class TurnedAwayList {
  readonly #clock: Clock;
  readonly #event: (event: NodeEvent) => void;
  readonly #list: TurnedAway[] = [];

  constructor(clock: Clock, event: (event: NodeEvent) => void) {
    this.#clock = clock;
    this.#event = event;
  }

  /** @param peerId the key they showed, if they came that far */
  add(remote: Address, peerId: PeerId | undefined, failure: LinkFailure | TlsFailure): void {
    this.#list.unshift({ remote, peerId, failure, at: this.#clock.now() });
    this.#list.length = Math.min(this.#list.length, peerNodeLimits.turnedAwayRemembered);
    this.#event({ type: "turned-away", remote, peerId, failure });
  }

  /** Those with this key; without one, all. */
  about(peerId: PeerId | undefined): readonly TurnedAway[] {
    return this.#list.filter((one) => peerId === undefined || one.peerId === peerId);
  }
}
