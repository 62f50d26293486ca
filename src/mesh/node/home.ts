/**
 * Peer mode's part of the data directory, and the lock that keeps it to one process.
 *
 *   DATA/identity.pem            the key, shared with the client
 *   DATA/peer/known-peers.json   whom this device has met
 *   DATA/peer/meshes.json        the meshes it belongs to, and which of them is current
 *   DATA/peer/<mesh>.sqlite      one log a mesh; beside it, while it is open, what SQLite needs and its tail
 *   DATA/peer/transfers.json     files that are not through yet, and the last ones received
 *   DATA/peer/unsent.json        what was written and could not be put into its mesh's log before the end
 *   DATA/peer/lock.sqlite        held open and locked while a peer runs
 *
 * Two processes with one key would sign different entries under the same number, which every other peer must take for
 * a stolen key. So the second one is refused. The lock is SQLite's own (an exclusive transaction that is never
 * finished): the operating system lets go of it when the process dies, however it dies.
 */
import { Database } from "bun:sqlite";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { isPeerId, type PeerId } from "../../identity/peer-id.ts";
import type { Draft } from "../core/api.ts";
import { KnownPeers, type Acquaintances } from "../pairing/known-peers.ts";
import { readJsonFile, writeJsonFile } from "../pairing/json-file.ts";
import { transferRecordSchema, type TransferRecord } from "../transfer/records.ts";

const key = z.string().regex(/^[\w-]{43}$/, "not 32 bytes in base64url");
const meshesSchema = z.object({
  version: z.literal(1),
  current: key.optional(),
  meshes: z.array(z.object({ id: key, secret: key.optional(), since: z.number() })),
});
const peerId = z.custom<PeerId>((value) => typeof value === "string" && isPeerId(value), "not a peer ID");
/** What people write; names and addresses are announced anew anyway. */
const draftsSchema: z.ZodType<readonly Draft[]> = z.array(
  z.discriminatedUnion("kind", [
    z.object({ kind: z.enum(["chat", "action", "topic"]), room: z.string(), text: z.string() }),
    z.object({ kind: z.literal("direct"), to: peerId, text: z.string() }),
    z.object({ kind: z.literal("profile"), nick: z.string() }),
  ]),
);
const unsentSchema = z.object({ version: z.literal(1), meshes: z.record(key, draftsSchema) });
type MeshRow = z.infer<typeof meshesSchema>["meshes"][number];

/** A mesh this device belongs to. */
export interface KnownMesh {
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** What the admission brought, 32 bytes: used until the log tells. Undefined for a mesh founded here. */
  readonly secret: Uint8Array | undefined;
}

/** The directory cannot be used: somebody else has it, or the disk refuses. The message says what to do. */
export class HomeError extends Error {
  override readonly name = "HomeError";
}

/** What a node remembers beside its log. Methods throw StateFileError where a disk refuses. */
export interface MeshHome {
  readonly known: Acquaintances;
  current(): KnownMesh | undefined;
  mesh(id: Uint8Array): KnownMesh | undefined;
  enter(mesh: KnownMesh, now: number): void;
  leave(id: Uint8Array): void;
  /** Keeps what waits for a mesh's log, in the place of what was kept for it. */
  keepUnsent(id: Uint8Array, drafts: readonly Draft[]): void;
  /** What is kept for a mesh. */
  unsent(id: Uint8Array): readonly Draft[];
  transfers(): readonly TransferRecord[];
  keepTransfers(records: readonly TransferRecord[]): void;
}

/** The directory, locked until {@link close}. */
export class PeerHome implements MeshHome {
  readonly directory: string;
  readonly known: KnownPeers;
  readonly #lock: Database;
  readonly #meshesPath: string;
  #current: string | undefined;
  #meshes: readonly MeshRow[];

  /** @throws HomeError, StateFileError */
  constructor(dataDirectory: string) {
    this.directory = join(dataDirectory, "peer");
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    this.#lock = takeLock(join(this.directory, "lock.sqlite"), dataDirectory);
    try {
      this.known = new KnownPeers(join(this.directory, "known-peers.json"));
      this.#meshesPath = join(this.directory, "meshes.json");
      const file = readJsonFile(this.#meshesPath, meshesSchema);
      this.#current = file?.current;
      this.#meshes = file?.meshes ?? [];
    } catch (error) {
      this.#lock.close();
      throw error;
    }
  }

  /** The mesh this device was in last. */
  current(): KnownMesh | undefined {
    return this.#current === undefined ? undefined : this.mesh(decode(this.#current));
  }

  /** A mesh this device belongs to, by ID. */
  mesh(id: Uint8Array): KnownMesh | undefined {
    const row = this.#meshes.find((mesh) => mesh.id === encode(id));
    return row && { id, secret: row.secret === undefined ? undefined : decode(row.secret) };
  }

  /** Makes a mesh the current one, remembered on disk. @throws StateFileError */
  enter(mesh: KnownMesh, now: number): void {
    const id = encode(mesh.id);
    const known = this.#meshes.find((row) => row.id === id);
    const secret = mesh.secret === undefined ? {} : { secret: encode(mesh.secret) };
    const row = { id, ...secret, since: known?.since ?? now };
    this.#meshes = [...this.#meshes.filter((one) => one.id !== id), row];
    this.#current = id;
    this.#write();
  }

  /** Forgets a mesh that was given up; its log is the caller's to remove. */
  leave(id: Uint8Array): void {
    this.#meshes = this.#meshes.filter((row) => row.id !== encode(id));
    if (this.#current === encode(id)) this.#current = undefined;
    this.#write();
  }

  /** Keeps what could not be written into a mesh's log yet, for that mesh and no other. @throws StateFileError */
  keepUnsent(id: Uint8Array, drafts: readonly Draft[]): void {
    const { [encode(id)]: before, ...others } = this.#unsent();
    if (before === undefined && drafts.length === 0) return;
    const meshes = drafts.length === 0 ? others : { ...others, [encode(id)]: drafts };
    if (Object.keys(meshes).length === 0) rmSync(this.#unsentPath, { force: true });
    else writeJsonFile(this.#unsentPath, { version: 1, meshes });
  }

  /** What {@link keepUnsent} kept. @throws StateFileError */
  unsent(id: Uint8Array): readonly Draft[] {
    return this.#unsent()[encode(id)] ?? [];
  }

  #unsent(): Readonly<Record<string, readonly Draft[]>> {
    return readJsonFile(this.#unsentPath, unsentSchema)?.meshes ?? {};
  }

  get #unsentPath(): string {
    return join(this.directory, "unsent.json");
  }

  /** Files that were on their way when {@link keepTransfers} was called last. @throws StateFileError */
  transfers(): readonly TransferRecord[] {
    return readJsonFile(join(this.directory, "transfers.json"), z.array(transferRecordSchema)) ?? [];
  }

  /** Keeps them for the next run. @throws StateFileError */
  keepTransfers(records: readonly TransferRecord[]): void {
    const path = join(this.directory, "transfers.json");
    if (records.length === 0) rmSync(path, { force: true });
    else writeJsonFile(path, records);
  }

  /** Where a mesh's log is. */
  storePath(id: Uint8Array): string {
    return join(this.directory, `${Buffer.from(id).toString("hex").slice(0, 32)}.sqlite`);
  }

  /** Lets the next process in. */
  close(): void {
    this.#lock.close();
  }

  #write(): void {
    const current = this.#current === undefined ? {} : { current: this.#current };
    writeJsonFile(this.#meshesPath, { version: 1, ...current, meshes: this.#meshes });
  }
}

function takeLock(path: string, dataDirectory: string): Database {
  const lock = new Database(path, { create: true });
  try {
    lock.run("PRAGMA locking_mode = EXCLUSIVE");
    lock.run("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    if (error instanceof Error && "code" in error && error.code === "SQLITE_BUSY") {
      throw new HomeError(
        `another rtchat peer is running with ${dataDirectory}: stop it, or give this one its own --data DIR`,
      );
    }
    throw error;
  }
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function decode(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"));
}
