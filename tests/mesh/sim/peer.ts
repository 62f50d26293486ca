/** One simulated device: its key, its disk, its clock's error, and the core that runs now. */
import type {
  Durability,
  Fault,
  MeshCoreApi,
  MeshCoreOptions,
  MeshListener,
  PeerId,
  Signer,
  StoredEntry,
} from "../../../src/mesh/core/api.ts";
import type { Codec } from "../../../src/mesh/core/codec.ts";
import { chainNote } from "../../../src/mesh/core/own-chain.ts";
import { MemoryStore } from "../../../src/mesh/store/memory.ts";
import type { Random } from "../../../src/protocol/clock.ts";
import { coreRandom, simulatedSealer, simulatedSigner, simulatedVerify } from "./crypto.ts";
import type { Pipe, Timeline } from "./network.ts";

/** The class under test; a planted bug is another one. */
export type CoreClass = new (options: MeshCoreOptions) => MeshCoreApi;

/** Wall clock at the start of the simulation, ms since 1970. */
const epochMs = 1_700_000_000_000;

/** What a disk was told to write, in order: an entry, or a note and its value. */
type Write = { readonly entry: StoredEntry } | { readonly note: string; readonly value: string | undefined };

/** Calls back after so many simulated ms. */
type Later = (ms: number, run: () => void) => void;

/** The note that own entries went ahead of the disk. */
const aheadNote = "ahead";

/**
 * A disk of which a power cut takes what was not synced, from the end; a killed process loses nothing. It keeps what
 * api.ts promises of a store as sqlite.ts does: a synced note before the first entry goes ahead, deleted by `settle`.
 */
export class SimDisk extends MemoryStore {
  readonly #later: Later;
  #written: Write[] = [];
  #synced = 0;

  constructor(later: Later = (_ms, run) => run()) {
    super();
    this.#later = later;
  }

  override append(entries: readonly StoredEntry[], durability: Durability = "synced"): void {
    const begins = durability === "ahead" && this.note(aheadNote) === undefined;
    if (begins) this.#write({ note: aheadNote, value: "this run" });
    for (const entry of entries) this.#write({ entry });
    if (begins || durability === "synced") this.flush();
  }

  override flush(): boolean {
    this.#synced = this.#written.length;
    return true;
  }

  override syncSoon(): void {
    const upTo = this.#written.length;
    this.#later(20, () => {
      this.#synced = Math.max(this.#synced, upTo);
    });
  }

  override settle(): void {
    if (this.note(aheadNote) === undefined) return;
    this.#write({ note: aheadNote, value: undefined });
    this.syncSoon();
  }

  override setNote(key: string, value: string | undefined): void {
    this.#write({ note: key, value });
    this.flush();
  }

  #write(write: Write): void {
    this.#written.push(write);
    if ("entry" in write) super.append([write.entry]);
    else super.setNote(write.note, write.value);
  }

  /**
   * What is left of it when the power fails now.
   * @param luck in [0, 1): how much of what was not synced is there all the same
   */
  afterPowerCut(luck: number): SimDisk {
    const kept = this.#synced + Math.floor((this.#written.length - this.#synced) * luck);
    const disk = this.#copy(this.#written.slice(0, kept));
    // What a store does that finds the note of another run of the machine.
    if (disk.note(aheadNote) === undefined) return disk;
    disk.setNote(chainNote, undefined);
    disk.setNote(aheadNote, undefined);
    return disk;
  }

  copy(): SimDisk {
    return this.#copy(this.#written);
  }

  #copy(written: readonly Write[]): SimDisk {
    const copy = new SimDisk(this.#later);
    for (const write of written) copy.#write(write);
    copy.flush();
    return copy;
  }
}

/** One device. */
export class SimPeer {
  readonly signer: Signer;
  readonly skewMs: number;
  /** Links that are up: the pipe that leads to the other device. */
  readonly pipes = new Map<SimPeer, Pipe>();
  readonly faults: Fault[] = [];
  readonly forks: PeerId[] = [];
  store: SimDisk;
  core: MeshCoreApi;
  /** Counts starts, so that what belongs to an earlier run can be told. */
  run = 0;
  isRemoved = false;
  #seed: number;
  readonly #core: CoreClass;
  readonly #codec: Codec;
  readonly #time: Timeline;
  readonly #meshId: () => Uint8Array;
  readonly onClose: (peer: SimPeer, other: PeerId) => void;

  constructor(parts: {
    core: CoreClass;
    codec: Codec;
    time: Timeline;
    random: Random;
    meshId: () => Uint8Array;
    signer?: Signer;
    onClose: (peer: SimPeer, other: PeerId) => void;
  }) {
    this.signer = parts.signer ?? simulatedSigner(parts.random);
    this.skewMs = Math.round((parts.random() - 0.5) * 20_000);
    this.#seed = Math.floor(parts.random() * 2 ** 32);
    this.#core = parts.core;
    this.#codec = parts.codec;
    this.#time = parts.time;
    this.#meshId = parts.meshId;
    this.onClose = parts.onClose;
    this.store = this.newDisk();
    this.core = this.start();
  }

  get id(): PeerId {
    return this.signer.peerId;
  }

  /** An empty disk. */
  newDisk(): SimDisk {
    return new SimDisk((ms, run) => this.#time.after(ms, run));
  }

  /** Starts a core on the current disk. Links must have been cut. */
  start(): MeshCoreApi {
    this.run += 1;
    this.#seed += 1;
    const listener: MeshListener = {
      inserted() {},
      membersChanged() {},
      topicChanged() {},
      holdingsChanged() {},
      secretChanged() {},
      forked: (peerId) => this.forks.push(peerId),
      clockSkew() {},
      fault: (fault, close) => {
        this.faults.push(fault);
        if (close) this.onClose(this, fault.peerId);
      },
      storeFailed: (message) => {
        throw new Error(message);
      },
    };
    this.core = new this.#core({
      meshId: this.#meshId(),
      signer: this.signer,
      verify: simulatedVerify,
      codec: this.#codec,
      sealer: simulatedSealer(this.signer.publicKey),
      store: this.store,
      clock: {
        now: () => epochMs + this.skewMs + Math.floor(this.#time.now),
        monotonic: () => this.#time.now,
      },
      random: coreRandom(this.#seed),
      listener,
    });
    return this.core;
  }
}
