/** One simulated device: its key, its disk, its clock's error, and the core that runs now. */
import type {
  Fault,
  MeshCoreApi,
  MeshCoreOptions,
  MeshListener,
  PeerId,
  Signer,
  StoredEntry,
} from "../../../src/mesh/core/api.ts";
import type { Codec } from "../../../src/mesh/core/codec.ts";
import { MemoryStore } from "../../../src/mesh/store/memory.ts";
import type { Random } from "../../../src/protocol/clock.ts";
import { coreRandom, simulatedSealer, simulatedSigner, simulatedVerify } from "./crypto.ts";
import type { Pipe, Timeline } from "./network.ts";

/** The class under test; a planted bug is another one. */
export type CoreClass = new (options: MeshCoreOptions) => MeshCoreApi;

/** Wall clock at the start of the simulation, ms since 1970. */
const epochMs = 1_700_000_000_000;

/** A disk of which a power cut takes what was not synced. */
export class SimDisk extends MemoryStore {
  #appended: StoredEntry[] = [];
  #synced = 0;

  override append(entries: readonly StoredEntry[], isDurable = true): void {
    super.append(entries);
    this.#appended.push(...entries);
    if (isDurable) this.flush();
  }

  override flush(): void {
    this.#synced = this.#appended.length;
  }

  /** What is left of it when the power fails now. */
  afterPowerCut(): SimDisk {
    return this.#copy(this.#appended.slice(0, this.#synced));
  }

  copy(): SimDisk {
    return this.#copy(this.#appended);
  }

  #copy(entries: readonly StoredEntry[]): SimDisk {
    const copy = new SimDisk();
    copy.append(entries);
    copy.setNote("chain", this.note("chain"));
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
  store = new SimDisk();
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
    this.core = this.start();
  }

  get id(): PeerId {
    return this.signer.peerId;
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
