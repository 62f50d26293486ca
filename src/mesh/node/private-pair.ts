/**
 * What a mesh of two needs that should leave no trace on disk: logs in memory, a home that forgets, and of what this
 * device remembers of others only the partner's key.
 *
 * Two people who were introduced by a server meet in such a mesh for as long as both want it. Each begins in a mesh of
 * its own, and the rules of links bring them into one; when one of them comes back with an empty memory, the other still
 * has the log.
 */
import type { Draft, MeshListener, PeerId } from "../core/api.ts";
import { newMesh } from "../core/mesh-id.ts";
import type { Acquaintances, KnownPeers } from "../pairing/known-peers.ts";
import type { TransferRecord } from "../transfer/records.ts";
import { MemoryStore } from "../store/memory.ts";
import { coreOver, type DiskMeshOptions } from "./disk-meshes.ts";
import { directLimits } from "../../protocol/limits.peer.ts";
import type { KnownMesh, MeshHome } from "./home.ts";
import type { MeshOpener, OpenedMesh } from "./open-mesh.ts";

/** Name of a mesh of two. */
const pairName = "two";

/** What of {@link KnownPeers} concerns one partner: addresses of others are not to be dialled here. */
function acquaintance(known: KnownPeers, partner: PeerId): Acquaintances {
  return {
    get: (id) => known.get(id),
    meet: (id, learned, now) => {
      if (id === partner) known.meet(id, learned, now);
    },
    verify: (id, now) => known.verify(id, now),
    pin: () => {},
    pinOf: () => undefined,
    pins: () => [],
  };
}

/** Remembers as long as the process runs. */
export class MemoryHome implements MeshHome {
  readonly known: Acquaintances;
  readonly #meshes = new Map<string, KnownMesh>();
  #current: KnownMesh | undefined;

  constructor(known: KnownPeers, partner: PeerId) {
    this.known = acquaintance(known, partner);
  }

  current(): KnownMesh | undefined {
    return this.#current;
  }

  mesh(id: Uint8Array): KnownMesh | undefined {
    return this.#meshes.get(nameOf(id));
  }

  enter(mesh: KnownMesh): void {
    this.#meshes.set(nameOf(mesh.id), mesh);
    this.#current = mesh;
  }

  leave(id: Uint8Array): void {
    this.#meshes.delete(nameOf(id));
    if (this.#current !== undefined && nameOf(this.#current.id) === nameOf(id)) this.#current = undefined;
  }

  /** Nothing is kept: whoever ends with something unsent was told so. */
  keepUnsent(): void {}

  unsent(): readonly Draft[] {
    return [];
  }

  transfers(): readonly TransferRecord[] {
    return [];
  }

  /** Files go on after a cut of the link, and not in another run. */
  keepTransfers(): void {}
}

/** Opens logs in memory; each is empty when it is opened, and gone when it is closed. */
export class MemoryMeshes implements MeshOpener {
  readonly #options: Omit<DiskMeshOptions, "home">;

  constructor(options: Omit<DiskMeshOptions, "home">) {
    this.#options = options;
  }

  open(meshId: Uint8Array, listener: MeshListener): OpenedMesh {
    const store = new MemoryStore(directLimits.logBytes);
    const core = coreOver(store, this.#options, meshId, listener);
    const notes = {
      read: (key: string) => store.note(key),
      write: (key: string, value: string) => store.setNote(key, value),
    };
    return { core, notes, close: () => store.close() };
  }

  found(listener: MeshListener): OpenedMesh {
    const { meshId, nonce } = newMesh(this.#options.identity.peerId, this.#options.randomBytes);
    const mesh = this.open(meshId, listener);
    const founded = mesh.core.found(pairName, nonce);
    if (!founded.ok) throw new Error(founded.message);
    return mesh;
  }

  discard(): void {}
}

function nameOf(id: Uint8Array): string {
  return Buffer.from(id).toString("base64url");
}
