/** What a node tells its screen. Strings from other people are as they came: sanitise them on their way to a terminal. */
import type { Address } from "../../protocol/address.ts";
import type { TlsFailure } from "../../net/tls-failure.ts";
import type { Fault, Insertion, PeerId } from "../core/api.ts";
import type { LinkFailure } from "../link/failures.ts";
import type { LearnedBy } from "../pairing/known-peers.ts";
import type { TransferView } from "../transfer/transfer.ts";
import type { Path } from "./addresses.ts";

/** One thing that happened. */
export type NodeEvent =
  /** The port is open; `port` is the real one. */
  | { readonly type: "listening"; readonly host: string | undefined; readonly port: number }
  /** This device is in a mesh now: a new one of its own, the one it was in, or somebody else's. */
  | { readonly type: "mesh"; readonly how: "founded" | "opened" | "joined"; readonly by: PeerId | undefined }
  /** We let somebody in. */
  | { readonly type: "admitted"; readonly peerId: PeerId; readonly learned: LearnedBy }
  | { readonly type: "linked"; readonly peerId: PeerId; readonly path: Path; readonly dialled: boolean }
  | { readonly type: "unlinked"; readonly peerId: PeerId; readonly failure: LinkFailure }
  /** A member does not take this device: its key was removed, they say. Our own log may not have it, and they may lie. */
  | { readonly type: "shut-out"; readonly peerId: PeerId }
  /** An address that a person typed, or an invite's, did not lead to a link; told at the first failure of each kind. */
  | { readonly type: "dial-failed"; readonly address: Address; readonly failure: LinkFailure }
  /** Another key than the remembered one answers at an address. */
  | {
      readonly type: "key-changed";
      readonly address: Address;
      readonly known: PeerId;
      readonly found: PeerId;
    }
  /** Somebody came to our port and was not let in. */
  | {
      readonly type: "turned-away";
      readonly remote: Address;
      readonly peerId: PeerId | undefined;
      readonly failure: LinkFailure | TlsFailure;
    }
  /** Somebody with rtchat is on the local network, who is no member. */
  | { readonly type: "nearby"; readonly address: Address }
  /** LAN discovery stopped. */
  | { readonly type: "lan-failed"; readonly message: string }
  | { readonly type: "inserted"; readonly insertions: readonly Insertion[] }
  | { readonly type: "members"; readonly peerIds: readonly PeerId[] }
  | { readonly type: "topic"; readonly room: string; readonly topic: string | undefined }
  | { readonly type: "holdings" }
  | { readonly type: "forked"; readonly peerId: PeerId; readonly self: boolean }
  | { readonly type: "clock-skew"; readonly peerId: PeerId; readonly aheadMs: number }
  | { readonly type: "fault"; readonly fault: Fault }
  /** A file that is sent or received began, went on or ended. */
  | { readonly type: "transfer"; readonly transfer: TransferView }
  | { readonly type: "store-failed"; readonly message: string };

/** After these, members are called and reached as before. */
const unlikeMembers: ReadonlySet<NodeEvent["type"]> = new Set(["inserted", "topic", "holdings", "transfer"]);

/** Hands events on after the call that caused them, so that whoever hears them may ask the core about them. */
export class EventQueue {
  readonly #hear: (event: NodeEvent) => void;
  readonly #events: NodeEvent[] = [];
  /** Counts what may have changed how members are called or reached, as it happens: before anybody hears of it. */
  memberChanges = 0;

  constructor(hear: (event: NodeEvent) => void) {
    this.#hear = hear;
  }

  push(event: NodeEvent): void {
    this.#events.push(event);
    if (!unlikeMembers.has(event.type)) this.memberChanges += 1;
    if (this.#events.length > 1) return;
    queueMicrotask(() => {
      for (const next of this.#events.splice(0)) this.#hear(next);
    });
  }
}
