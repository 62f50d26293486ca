/**
 * Reads each frame and each entry once for all devices of a world, with the code that every real peer reads them with.
 *
 * What bytes mean depends on nothing but the bytes, so twenty devices that read the same ones come to the same twenty times
 * over. An entry is known by all of its bytes, signature included: they are compared one by one, so a forged or damaged
 * entry is never taken for another, and is read, checked and refused like any that comes for the first time. A frame is
 * known by its array, which its sender hands to several links and nobody changes. `check` holds the run to what was kept of
 * entries; that nobody changes a frame is for the tests of the core, and for every real peer, whose frames are its own.
 */
import type { EntryHash, Verify } from "../../../src/mesh/core/api.ts";
import type { Body } from "../../../src/mesh/core/bodies.ts";
import { viewOf } from "../../../src/mesh/core/bytes.ts";
import { plainCodec, type Codec } from "../../../src/mesh/core/codec.ts";
import type { Entry } from "../../../src/mesh/core/entry.ts";
import { frameTypes, type Frame } from "../../../src/mesh/core/frames.ts";

/** What is known of one sequence of bytes. Nothing is kept of a step that threw: it throws again. */
interface Known {
  /** A copy, so that whoever changes what arrived changes nothing here. */
  readonly bytes: Buffer;
  readonly hash: EntryHash;
  entry: Entry | undefined;
  body: Body | undefined;
  /** The signature was found right for this key and mesh. */
  signedBy: Uint8Array | undefined;
  meshId: Uint8Array | undefined;
}

/** Frames that are on their way at once, by far; one that is forgotten is read again. */
const framesMost = 2048;

/** A codec for all devices of one world. */
export class SharedCodec implements Codec {
  readonly #plain: Codec;
  readonly #frames = new Map<Uint8Array, Frame>();
  readonly #framesInTurn: Uint8Array[] = [];
  #framesSeen = 0;
  /** By a few bytes of the signature; those that share them are compared in full. */
  readonly #known = new Map<number, Known[]>();
  readonly #byEntry = new Map<Entry, Known>();
  readonly #hashes = new Map<EntryHash, EntryHash>();

  constructor(verify: Verify) {
    this.#plain = plainCodec(verify);
  }

  frame(bytes: Uint8Array): Frame | undefined {
    const [type] = bytes;
    // Others are made for one link.
    if (type !== frameTypes.entries && type !== frameTypes.links) return this.#plain.frame(bytes);
    let frame = this.#frames.get(bytes);
    if (frame === undefined) {
      frame = this.#plain.frame(bytes);
      if (frame !== undefined) this.#keep(bytes, frame);
    }
    return frame;
  }

  hash(bytes: Uint8Array): EntryHash {
    const known = this.#find(bytes);
    if (known !== undefined) return known.hash;
    const hash = this.#shared(this.#plain.hash(bytes));
    const all = Buffer.from(bytes);
    const name = nameOf(all);
    const others = this.#known.get(name) ?? [];
    others.push({
      bytes: all,
      hash,
      entry: undefined,
      body: undefined,
      signedBy: undefined,
      meshId: undefined,
    });
    this.#known.set(name, others);
    return hash;
  }

  entry(bytes: Uint8Array, hash: EntryHash): Entry {
    const known = this.#find(bytes);
    if (known?.hash !== hash) return this.#plain.entry(bytes, hash);
    if (known.entry === undefined) {
      known.entry = this.#withSharedHashes(this.#plain.entry(known.bytes, hash));
      this.#byEntry.set(known.entry, known);
    }
    return known.entry;
  }

  body(entry: Entry): Body {
    const known = this.#byEntry.get(entry);
    if (known === undefined) return this.#plain.body(entry);
    return (known.body ??= this.#plain.body(entry));
  }

  isSigned(entry: Entry, key: Uint8Array, meshId: Uint8Array): boolean {
    const known = this.#byEntry.get(entry);
    if (known === undefined) return this.#plain.isSigned(entry, key, meshId);
    if (isSame(known.signedBy, key) && isSame(known.meshId, meshId)) return true;
    if (!this.#plain.isSigned(entry, key, meshId)) return false;
    known.signedBy = key;
    known.meshId = meshId;
    return true;
  }

  /** @throws when bytes were changed after they had been read */
  check(): void {
    for (const all of this.#known.values())
      for (const { bytes, hash } of all)
        if (this.#plain.hash(bytes) !== hash)
          throw new Error(`the bytes of entry ${hash} were changed after they had been read`);
  }

  #keep(bytes: Uint8Array, frame: Frame): void {
    const place = this.#framesSeen % framesMost;
    this.#framesSeen += 1;
    const oldest = this.#framesInTurn[place];
    if (oldest !== undefined) this.#frames.delete(oldest);
    this.#framesInTurn[place] = bytes;
    this.#frames.set(bytes, frame);
  }

  #find(bytes: Uint8Array): Known | undefined {
    if (bytes.length < 6) return undefined;
    const view = viewOf(bytes);
    for (const known of this.#known.get(nameOf(view)) ?? [])
      if (known.bytes === view || known.bytes.equals(view)) return known;
    return undefined;
  }

  /** One string a hash, however often it is named: equal strings are then found equal without reading them. */
  #shared(hash: EntryHash): EntryHash {
    const known = this.#hashes.get(hash);
    if (known === undefined) this.#hashes.set(hash, hash);
    return known ?? hash;
  }

  #withSharedHashes(entry: Entry): Entry {
    const previous = entry.previous === undefined ? undefined : this.#shared(entry.previous);
    return { ...entry, previous, parents: entry.parents.map((hash) => this.#shared(hash)) };
  }
}

function nameOf(bytes: Buffer): number {
  return bytes.readUIntBE(bytes.length - 6, 6);
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a === b || (a !== undefined && Buffer.compare(a, b) === 0);
}
