/** Files over the links of a node: ties the exchange to links, to the disk's record of it, and to what is shown. */
import { isPeerId } from "../../identity/peer-id.ts";
import type { Clock } from "../../protocol/clock.ts";
import { transferLimits } from "../../protocol/limits.peer.ts";
import type { Fault, PeerId } from "../core/api.ts";
import { Faults } from "../core/faults.ts";
import { FrameType } from "../link/frames.ts";
import type { Link } from "../link/link.ts";
import { StateFileError } from "../pairing/json-file.ts";
import { FileExchange } from "../transfer/exchange.ts";
import type { FileStore } from "../transfer/file-store.ts";
import type { NodeEvent } from "./events.ts";
import type { MeshHome } from "./home.ts";

/** What it needs of the node's options. */
export interface NodeTransfersOptions {
  readonly home: Pick<MeshHome, "transfers" | "keepTransfers">;
  readonly files: FileStore;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** All transfers of a node. */
export class NodeTransfers {
  /** Offering, accepting, cancelling, looking. */
  readonly exchange: FileExchange;
  readonly #faults = new Faults();

  constructor({ home, files, clock, randomBytes }: NodeTransfersOptions, event: (event: NodeEvent) => void) {
    this.exchange = new FileExchange({
      store: files,
      records: {
        load: () => home.transfers(),
        save: (records) => {
          try {
            home.keepTransfers(records);
          } catch (error) {
            // Nothing but the memory of an unfinished transfer is at stake.
            if (!(error instanceof StateFileError)) throw error;
            event({ type: "store-failed", message: error.message });
          }
        },
      },
      clock,
      randomBytes,
      changed: (transfer) => event({ type: "transfer", transfer }),
      fault: (peer, detail) => {
        if (!isPeerId(peer)) return;
        event({ type: "fault", fault: this.#faults.note(peer, "bad-transfer", detail, clock.now()) });
      },
    });
  }

  /** What a peer did wrong, the newest first. */
  faults(peerId: PeerId): readonly Fault[] {
    return this.#faults.of(peerId);
  }

  linkUp(peerId: PeerId, link: Link): void {
    const { outboxBytes } = transferLimits;
    this.exchange.linkUp(peerId, {
      send: (frame, isBulk) => link.send(FrameType.Transfer, frame, isBulk ? outboxBytes : undefined),
    });
  }

  linkDown(peerId: PeerId): void {
    this.exchange.linkDown(peerId);
  }

  drained(peerId: PeerId): void {
    this.exchange.drained(peerId);
  }

  receive(peerId: PeerId, link: Link, frame: Uint8Array): void {
    const problem = this.exchange.receive(peerId, frame);
    if (problem !== undefined) link.close("bad-frame", `${problem}, in a frame about a file`);
  }

  forget(peerId: PeerId): void {
    this.exchange.forget(peerId);
  }

  close(): Promise<void> {
    return this.exchange.close();
  }
}
