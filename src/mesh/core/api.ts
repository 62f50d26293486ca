/**
 * What peer mode's core needs from outside, and what it gives: types only.
 *
 * The core is a state machine. It is given a clock, randomness, a signer, a sealer and a store; it is told when a link
 * to a peer goes up or down, what bytes arrived and that time has passed; it answers with frames to send and with
 * events. It is synchronous from end to end, opens no socket, keeps no timer and throws nothing at its callers in a
 * socket handler. Everything it knows can therefore be simulated by seed.
 *
 * Keys are `PeerId` on this surface (the key itself, readable) and raw bytes on the wire. Times are milliseconds since
 * 1970, hashes are lower-case hex.
 */
import type { PeerId } from "../../identity/peer-id.ts";
import type { Codec } from "./codec.ts";
import type { ReasonCode } from "./reasons.ts";

export type { PeerId, ReasonCode };

/** SHA-256 of an entry, 64 lower-case hex digits. Names the entry everywhere. */
export type EntryHash = string;

/** Signs with the device's Ed25519 key (RFC 8032). */
export interface Signer {
  readonly peerId: PeerId;
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** True when `signature` (64 bytes) over `message` was made by `publicKey` (32 bytes). Never throws. */
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** Encrypts between this device and one other key, so that only these two can read (see seal.ts). */
export interface Sealer {
  /** @throws RangeError when `peer` is no valid Ed25519 key */
  seal(peer: Uint8Array, plain: Uint8Array, context: Uint8Array): Uint8Array;
  /** Opens what this device and `peer` sealed for each other, either way; undefined when it is not authentic. */
  open(peer: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array | undefined;
}

/** Time, as the core wants it; the shared `Clock` has both. */
export interface CoreClock {
  /** Wall clock, ms since 1970. May jump. */
  now(): number;
  /** Monotonic ms. */
  monotonic(): number;
}

/** Chance, as the core wants it. */
export interface CoreRandom {
  /** In [0, 1), for jitter. */
  unit(): number;
  /** Unpredictable bytes, for secrets. */
  bytes(length: number): Uint8Array;
}

/** One stored entry. */
export interface StoredEntry {
  readonly hash: EntryHash;
  readonly bytes: Uint8Array;
  /** When this device received (or wrote) it, ms since 1970. */
  readonly receivedAt: number;
}

/**
 * How safe appended entries are when `append` returns; the death of the process loses nothing, however it dies.
 *
 * - `synced`: they survive the death of the machine, and so does all that was appended before.
 * - `ahead`: as `synced` soon (see {@link MeshStore.syncSoon}); if the machine dies before, they may be lost, but the store
 *   knows it when it is opened next, and has then no longer the note of own-chain.ts.
 * - `lax`: the machine's death may take them unnoticed, until {@link MeshStore.flush}.
 */
export type Durability = "synced" | "ahead" | "lax";

/** Where a mesh's log is kept: one store a mesh. What is appended, and notes, are lost from the end or not at all. */
export interface MeshStore {
  /** All entries, in the order they were appended. Parents come before children. */
  entries(): Iterable<StoredEntry>;
  /**
   * Appends all or nothing. Entries already there are passed over.
   * @param durability `synced` unless said
   * @throws StoreError when nothing was stored (disk full, file damaged), or a sync has failed before
   */
  append(entries: readonly StoredEntry[], durability?: Durability): void;
  /**
   * Makes all that was appended survive the death of the machine. Costs nothing when it does.
   * @returns false when that is not possible now (disk full); it may be later, and `append` says why not
   * @throws StoreError when it never will be
   */
  flush(): boolean;
  /** Begins what `flush` does and waits for no sync; when one fails, the next call that writes or flushes throws. */
  syncSoon(): void;
  /**
   * Nothing will be appended `ahead` for a while: once this is synced, a machine that dies costs nothing any more. Waits
   * for nothing; the next entry `ahead` waits for one sync.
   * @throws StoreError
   */
  settle(): void;
  /** One entry's bytes and time, or undefined. */
  get(hash: EntryHash): StoredEntry | undefined;
  /** A small note kept with the log (UTF-8, a few KiB at most), or undefined. */
  note(key: string): string | undefined;
  /** Sets a note, durable when it returns; undefined deletes. */
  setNote(key: string, value: string | undefined): void;
  /** Syncs and settles what can be. */
  close(): void;
}

/**
 * Takes one frame for the wire; frames arrive whole and in order. False when the link cannot take it now (its outbox
 * is full): the frame is then forgotten and the core repairs the gap by sync once `linkDrained` is called.
 */
export type SendFrame = (frame: Uint8Array) => boolean;

/** A kind of entry that people write. */
export type Draft =
  | { readonly kind: "chat" | "action"; readonly room: string; readonly text: string }
  | { readonly kind: "topic"; readonly room: string; readonly text: string }
  | { readonly kind: "direct"; readonly to: PeerId; readonly text: string }
  | { readonly kind: "profile"; readonly nick: string }
  /** Addresses as `host:port`, `[v6]:port`; replaces the earlier record. */
  | { readonly kind: "addresses"; readonly addresses: readonly string[] };

/** A refused call: the code, and a sentence for the person who asked. */
export interface Refused {
  readonly ok: false;
  readonly code: ReasonCode;
  readonly message: string;
}

/** An accepted one. The entry is in the store, and on its way to every link; without one, it is synced. */
export type Published = { readonly ok: true; readonly hash: EntryHash } | Refused;

/** A place where messages are: a room (any spelling; compared by its key) or the conversation with one member. */
export type Place = { readonly room: string } | { readonly direct: PeerId };

/** One line of a timeline. */
export interface TimelineItem {
  readonly hash: EntryHash;
  readonly author: PeerId;
  readonly kind: "chat" | "action" | "topic" | "direct";
  /** Where it belongs; `room` is the room's key. */
  readonly place: Place;
  /** Checked: no control characters but tab and newline. Not escaped for any screen. */
  readonly text: string;
  /** When the author says it was written, but never later than this device received it; ms since 1970. */
  readonly at: number;
  /** True when the author has signed two different entries under one number: somebody may hold a copy of the key. */
  readonly forked: boolean;
  /** True when its author had been removed by then, by the entries' clocks; the author may not have known. */
  readonly afterRemoval: boolean;
}

/** A new line, and where it went. */
export interface Insertion {
  readonly item: TimelineItem;
  /** Position in its place's timeline at the time of the event. */
  readonly index: number;
  /** True when lines that are already shown come after it. */
  readonly earlier: boolean;
}

/** Who holds an entry, as far as it is proved by what each said on its own link or signed. A lower bound. */
export interface Holding {
  /** Members known to hold it, this device included. */
  readonly held: number;
  /** Active members, this device included. */
  readonly of: number;
}

/** One member. */
export interface Member {
  readonly peerId: PeerId;
  /** Undefined until the member announced one. Not unique: `nickShared` warns. */
  readonly nick: string | undefined;
  /** Another active member uses the same name; of somebody removed: anybody else does. */
  readonly nickShared: boolean;
  /** Symbols of the peer ID, from the first one of the key on, that tell it from all others of this name or without one. */
  readonly headSymbols: number;
  readonly role: "founder" | "admin" | "member";
  /** Removed for good; such a key never comes back. */
  readonly removedBy: PeerId | undefined;
  readonly admittedBy: PeerId | undefined;
  readonly addresses: readonly string[];
  readonly forked: boolean;
  /** `self`; linked to us; seen by a peer that is linked to us (`via` names them); or not seen. */
  readonly presence: "self" | "linked" | "via" | "away";
  readonly via: readonly PeerId[];
}

/** One generation of the mesh secret, 32 bytes; a removal starts the next. */
export interface MeshSecret {
  /** Hash of the entry that started it; names the secret without telling it. */
  readonly rotation: EntryHash;
  /** Counts from 0. Concurrent removals can shift it: for people, not for comparing. */
  readonly generation: number;
  readonly secret: Uint8Array;
}

/** Whether a link with a key may exist. `open`: the log is still empty, so we know nobody and take our first contact. */
export type Standing = "member" | "removed" | "unknown" | "open";

/** Something a peer did that it should not have; kept for `/why`. */
export interface Fault {
  readonly peerId: PeerId;
  readonly code: ReasonCode;
  /** For people; holds no foreign text unquoted. */
  readonly detail: string;
  /** ms since 1970. */
  readonly at: number;
  /** How often this code came in a row. */
  readonly times: number;
}

/** What the core tells. All calls are synchronous, from inside the call that caused them; do not call back into it. */
export interface MeshListener {
  /** New lines, in timeline order a place. */
  inserted(insertions: readonly Insertion[]): void;
  /** Nick, addresses, role, presence, removal of these members changed, or they are new. */
  membersChanged(peerIds: readonly PeerId[]): void;
  /** A room's topic changed; undefined when it was cleared. */
  topicChanged(room: string, topic: string | undefined): void;
  /** Holdings of own entries may have changed; ask `holding` for those on the screen. */
  holdingsChanged(): void;
  /** The mesh secret has a new generation (or the first arrived). */
  secretChanged(secret: MeshSecret): void;
  /** Somebody signed two entries under one number. `self`: our own key is used elsewhere, or an old copy was restored. */
  forked(peerId: PeerId, self: boolean): void;
  /** A peer's clock and ours differ by `aheadMs` (positive: theirs is ahead), more than people would expect. */
  clockSkew(peerId: PeerId, aheadMs: number): void;
  /** A peer misbehaved. `close`: end its link now with this code; the core has already forgotten it. */
  fault(fault: Fault, close: boolean): void;
  /**
   * The store refused; nothing was taken or sent. `message` says why. If the store can no longer be read either, all
   * links are down for the core afterwards, and only a restart helps.
   */
  storeFailed(message: string): void;
}

/** Everything a core is made of. */
export interface MeshCoreOptions {
  /** 32 bytes: see `newMesh` in mesh-id.ts. */
  readonly meshId: Uint8Array;
  readonly signer: Signer;
  readonly verify: Verify;
  /** How bytes are read; by default anew each time. */
  readonly codec?: Codec;
  readonly sealer: Sealer;
  readonly store: MeshStore;
  readonly clock: CoreClock;
  readonly random: CoreRandom;
  readonly listener: MeshListener;
}

/** The surface of `MeshCore` (core.ts). */
export interface MeshCoreApi {
  readonly meshId: Uint8Array;
  /** The device's own ID. */
  readonly self: PeerId;

  /** Founds the mesh: its first entry. Only for the key the mesh ID was made with, and only while the log is empty. */
  found(name: string, nonce: Uint8Array): Published;
  /** Makes `peerId` a member, and seals the mesh secret to it. Any member may. */
  admit(peerId: PeerId): Published;
  /** Makes a member an admin. Founder and admins may. */
  appoint(peerId: PeerId): Published;
  /** Removes a member for good and rotates the secret. Founder and admins may; the founder cannot be removed. */
  remove(peerId: PeerId): Published;
  /** Writes an entry: into the store first, then to every link. */
  publish(draft: Draft): Published;

  /** Whether a link to this key may exist: ask before calling `linkUp`. */
  standing(peerId: PeerId): Standing;
  /** A link is authenticated and up. Replaces an earlier one. Refused for removed and unknown keys. */
  linkUp(peerId: PeerId, send: SendFrame): { readonly ok: true } | Refused;
  /** The link is gone. Unknown peers are passed over. */
  linkDown(peerId: PeerId): void;
  /** After `send` said false: the link takes frames again. */
  linkDrained(peerId: PeerId): void;
  /** One frame from a link. Whatever it holds, this neither throws nor blocks. */
  receive(peerId: PeerId, frame: Uint8Array): void;
  /** Does what is due. Call every 50 to 100 ms while a link is up. */
  tick(): void;

  /** The name the founder gave, or undefined while unknown. */
  meshName(): string | undefined;
  /** When the mesh was founded, by the founder's clock, ms since 1970; undefined while unknown. */
  foundedAt(): number | undefined;
  members(): readonly Member[];
  member(peerId: PeerId): Member | undefined;
  /** Peers with a link now. */
  links(): readonly PeerId[];
  rooms(): readonly {
    readonly room: string;
    readonly topic: string | undefined;
    readonly messages: number;
  }[];
  /** Conversations with members, the latest first. */
  conversations(): readonly PeerId[];
  /**
   * Lines of a place, oldest first: the last `limit` before position `before` (default: the end).
   * @throws StoreError
   */
  timeline(place: Place, limit: number, before?: number): readonly TimelineItem[];
  /** Lines of a place; none of them is read for it. */
  count(place: Place): number;
  /** Who holds an entry; undefined when this device does not. */
  holding(hash: EntryHash): Holding | undefined;
  /** Secrets this device knows, the current one first. */
  secrets(): readonly MeshSecret[];
  /** What a peer did wrong lately, the newest first. */
  faults(peerId: PeerId): readonly Fault[];
  /** Every entry in the mesh's total order: for export, tests, and comparing two peers. */
  order(): readonly EntryHash[];
}
