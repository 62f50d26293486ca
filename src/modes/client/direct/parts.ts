/**
 * What direct paths are made of. Loaded when a path is first wanted, because most who chat over a server never want one,
 * and a chat should start without; everything else in this folder imports of it only types.
 */
import { formatPeerId, isPeerId } from "../../../identity/peer-id.ts";
import { transferObject } from "../../../mesh/console/json.ts";
import { whyLines } from "../../../mesh/console/format.ts";
import { RelayPace } from "../../../mesh/relay/pace.ts";
import { DiskFiles } from "../../../mesh/transfer/disk-files.ts";
import type { FileStore } from "../../../mesh/transfer/file-store.ts";
import { systemClock } from "../../../protocol/clock.ts";
import { openDevice, type Device } from "./device.ts";
import { Pair } from "./pair.ts";
import { toldAddresses } from "./told-addresses.ts";

/** See above. */
export interface DirectParts {
  readonly device: Device;
  readonly pace: RelayPace;
  readonly files: FileStore;
  readonly Pair: typeof Pair;
  readonly formatPeerId: typeof formatPeerId;
  readonly isPeerId: typeof isPeerId;
  readonly toldAddresses: typeof toldAddresses;
  readonly whyLines: typeof whyLines;
  readonly transferObject: typeof transferObject;
}

/** @throws IdentityError, StateFileError */
export async function openParts(dataDirectory: string, downloads: string): Promise<DirectParts> {
  return {
    device: await openDevice(dataDirectory),
    pace: new RelayPace(systemClock),
    files: new DiskFiles(downloads),
    Pair,
    formatPeerId,
    isPeerId,
    toldAddresses,
    whyLines,
    transferObject,
  };
}
