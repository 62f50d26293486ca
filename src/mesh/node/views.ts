/** What a node shows of itself to a screen. */
import type { TlsFailure } from "../../net/tls-failure.ts";
import type { Address } from "../../protocol/address.ts";
import type { Fault, Member, PeerId } from "../core/api.ts";
import type { LinkFailure } from "../link/failures.ts";
import type { KnownPeer } from "../pairing/known-peers.ts";
import type { Path } from "./addresses.ts";
import type { Attempts } from "./dial-plan.ts";

/** One row of `/peers`. */
export interface PeerView extends Member {
  readonly path: Path | undefined;
  readonly roundTripMs: number | undefined;
  readonly known: KnownPeer | undefined;
}

/** One row of `/why` about somebody who came to our port. */
export interface TurnedAway {
  readonly remote: Address;
  readonly peerId: PeerId | undefined;
  readonly failure: LinkFailure | TlsFailure;
  /** ms since 1970. */
  readonly at: number;
}

/** What is known about why a peer is not there. */
export interface Why {
  readonly attempts: readonly Attempts[];
  readonly faults: readonly Fault[];
  readonly turnedAway: readonly TurnedAway[];
}
