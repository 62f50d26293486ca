/** How a node comes by a mesh core: made by whoever composes the node, so that tests can put the log where they like. */
import type { MeshCoreApi, MeshListener } from "../core/api.ts";

/** An open mesh. */
export interface OpenedMesh {
  readonly core: MeshCoreApi;
  /** A durable note kept with the log. */
  readonly notes: { read(key: string): string | undefined; write(key: string, value: string): void };
  /** Closes the log. The core must not be used afterwards. */
  close(): void;
}

/** Opens logs. Throws StoreError when one cannot be opened. */
export interface MeshOpener {
  /** Opens a mesh this device belongs to, or is about to join (its log is then still empty). */
  open(meshId: Uint8Array, listener: MeshListener): OpenedMesh;
  /** Founds a mesh with this device as its only member. */
  found(listener: MeshListener): OpenedMesh;
  /** Deletes the log of a mesh that was given up. */
  discard(meshId: Uint8Array): void;
}
