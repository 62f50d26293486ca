/** Meshes on disk: one SQLite log each, in peer mode's directory, signed and sealed with the device's key. */
import { rmSync } from "node:fs";
import { signWith, type Identity } from "../../identity/key-file.ts";
import type { Clock, Random } from "../../protocol/clock.ts";
import type { MeshListener, MeshStore } from "../core/api.ts";
import { MeshCore } from "../core/core.ts";
import { newMesh } from "../core/mesh-id.ts";
import { StoreError } from "../core/store-error.ts";
import { createSealer } from "../core/seal.ts";
import { verifyEd25519 } from "../core/verify.ts";
import { SqliteStore, tailSuffix } from "../store/sqlite.ts";
import type { PeerHome } from "./home.ts";
import type { MeshOpener, OpenedMesh } from "./open-mesh.ts";

/** Name of a mesh that was founded without one. */
const defaultName = "mesh";

/** What disk meshes are made of. */
export interface DiskMeshOptions {
  readonly identity: Identity;
  readonly home: PeerHome;
  readonly clock: Clock;
  readonly random: Random;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** Opens logs as files of {@link PeerHome}. */
export class DiskMeshes implements MeshOpener {
  readonly #options: DiskMeshOptions;

  constructor(options: DiskMeshOptions) {
    this.#options = options;
  }

  open(meshId: Uint8Array, listener: MeshListener): OpenedMesh {
    const store = new SqliteStore(this.#options.home.storePath(meshId));
    const core = coreOver(store, this.#options, meshId, listener);
    return {
      core,
      notes: { read: (key) => store.note(key), write: (key, value) => store.setNote(key, value) },
      close: () => store.close(),
    };
  }

  found(listener: MeshListener): OpenedMesh {
    const { meshId, nonce } = newMesh(this.#options.identity.peerId, this.#options.randomBytes);
    const mesh = this.open(meshId, listener);
    const founded = mesh.core.found(defaultName, nonce);
    if (founded.ok) return mesh;
    mesh.close();
    if (founded.code === "store-failed") throw new StoreError(founded.message);
    throw new Error(founded.message);
  }

  discard(meshId: Uint8Array): void {
    const path = this.#options.home.storePath(meshId);
    for (const suffix of ["", "-wal", "-shm", tailSuffix]) rmSync(`${path}${suffix}`, { force: true });
  }
}

/** A core whose entries are signed and sealed with the device's key, and kept in `store`. */
export function coreOver(
  store: MeshStore,
  { identity, clock, random, randomBytes }: Omit<DiskMeshOptions, "home">,
  meshId: Uint8Array,
  listener: MeshListener,
): MeshCore {
  return new MeshCore({
    meshId,
    signer: {
      peerId: identity.peerId,
      publicKey: identity.publicKey,
      sign: (message) => signWith(identity, message),
    },
    verify: verifyEd25519,
    sealer: createSealer(seedOf(identity), randomBytes),
    store,
    clock,
    random: { unit: random, bytes: randomBytes },
    listener,
  });
}

/** The 32 secret bytes of the key (RFC 8032, 5.1.5). */
function seedOf(identity: Identity): Uint8Array {
  const { d } = identity.privateKey.export({ format: "jwk" });
  return new Uint8Array(Buffer.from(d ?? "", "base64url"));
}
