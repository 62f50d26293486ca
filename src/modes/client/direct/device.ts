/**
 * What this device brings to a direct path: its key, and whom it knows. Loaded when a path is first wanted, because most
 * who chat over a server never want one, and a chat should start without.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { makeCredentials, type TlsCredentials } from "../../../identity/certificate.ts";
import { loadOrCreateIdentity, type Identity } from "../../../identity/key-file.ts";
import { KnownPeers } from "../../../mesh/pairing/known-peers.ts";

/** See above. */
export interface Device {
  readonly identity: Identity;
  readonly tls: TlsCredentials;
  readonly known: KnownPeers;
  readonly randomBytes: (length: number) => Uint8Array;
}

/**
 * Loads the key, or makes it, and what is known of others; both are shared with `rtchat peer`.
 * @throws IdentityError, StateFileError
 */
export async function openDevice(dataDirectory: string): Promise<Device> {
  const identity = loadOrCreateIdentity(dataDirectory);
  const directory = join(dataDirectory, "peer");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    identity,
    tls: await makeCredentials(identity),
    known: new KnownPeers(join(directory, "known-peers.json")),
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  };
}
