/**
 * Events of a mesh as objects for programs, beside those of the client protocol (`message`, `ack`, `topic`, …), which
 * the backend of the screens makes. Nothing is sanitised: programs get what was written, escaped as JSON.
 */
import { formatAddress } from "../../protocol/address.ts";
import { explainFailure } from "../link/failures.ts";
import type { NodeEvent } from "../node/events.ts";
import type { TransferView } from "../transfer/transfer.ts";
import type { Look } from "./format.ts";

/** The objects for an event; none for what the protocol's own objects say, or what only matters to screens. */
export function eventObjects(event: NodeEvent, look: Look): object[] {
  switch (event.type) {
    case "listening":
      return [{ type: "listening", port: event.port }];
    case "mesh":
      return [{ type: "mesh", how: event.how, by: event.by ?? null }];
    case "admitted":
      return [{ type: "admitted", peer: event.peerId, learned: event.learned }];
    case "linked":
      return [
        { type: "linked", peer: event.peerId, nick: look(event.peerId)?.nick ?? null, path: event.path },
      ];
    case "unlinked": {
      const { code } = event.failure;
      return [{ type: "unlinked", peer: event.peerId, code, message: explainFailure(code) }];
    }
    case "shut-out":
      return [{ type: "shut-out", peer: event.peerId }];
    case "dial-failed": {
      const { code, detail } = event.failure;
      const address = formatAddress(event.address);
      return [{ type: "dial-failed", address, code, message: explainFailure(code), detail }];
    }
    case "key-changed": {
      const { known, found } = event;
      return [{ type: "key-changed", address: formatAddress(event.address), known, found }];
    }
    case "turned-away": {
      const { code } = event.failure;
      return [
        { type: "turned-away", address: formatAddress(event.remote), peer: event.peerId ?? null, code },
      ];
    }
    case "forked":
      return [{ type: "forked", peer: event.peerId, self: event.self }];
    case "fault": {
      const { peerId, code, detail } = event.fault;
      return [{ type: "fault", peer: peerId, code, message: detail }];
    }
    case "store-failed":
      return [{ type: "error", code: "store-failed", message: event.message }];
    case "clock-skew":
      return [{ type: "clock-skew", peer: event.peerId, aheadMs: event.aheadMs }];
    case "nearby":
      return [{ type: "nearby", address: formatAddress(event.address) }];
    case "lan-failed":
      return [{ type: "error", code: "lan-failed", message: event.message }];
    case "transfer":
      return [transferObject(event.transfer)];
    case "inserted":
    case "members":
    case "topic":
    case "holdings":
      return [];
  }
}

/** A transfer for programs: where it stands, and of what has ended, how. */
export function transferObject({ stopped, path, ...transfer }: TransferView): object {
  const ended = stopped === undefined ? {} : { code: stopped.code, by: stopped.by, detail: stopped.detail };
  return { type: "file", ...transfer, ...ended, path };
}
