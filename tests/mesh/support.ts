/**
 * A small mesh on a table: cores with simulated keys, joined by links that deliver when the test says so. Time moves only
 * by `advance`.
 */
import type { Fault, Insertion, MeshListener, MeshStore, PeerId, Signer } from "../../src/mesh/core/api.ts";
import { toHex } from "../../src/mesh/core/bytes.ts";
import { MeshCore } from "../../src/mesh/core/core.ts";
import { newMesh } from "../../src/mesh/core/mesh-id.ts";
import { encodeEntry, entryKinds, type Entry, type EntryContent } from "../../src/mesh/core/entry.ts";
import { decodeFrame, type Frame } from "../../src/mesh/core/frames.ts";
import { MemoryStore } from "../../src/mesh/store/memory.ts";
import { seededRandom } from "../../src/protocol/clock.ts";
import { bytesFrom, coreRandom, simulatedSealer, simulatedSigner, simulatedVerify } from "./sim/crypto.ts";

/** Wall clock at the start, ms since 1970. */
export const startMs = 1_700_000_000_000;

/** What a core told, and the core. */
export interface Device {
  readonly name: string;
  readonly core: MeshCore;
  readonly store: MeshStore;
  readonly signer: Signer;
  /** What is added to this device's wall clock from now on, ms. */
  readonly setSkew: (ms: number) => void;
  readonly insertions: Insertion[];
  readonly faults: Fault[];
  /** Links the core asked to close. */
  readonly closed: PeerId[];
  readonly forks: { peerId: PeerId; self: boolean }[];
  readonly skews: { peerId: PeerId; aheadMs: number }[];
  readonly changed: PeerId[];
  readonly secrets: string[];
  readonly topics: (string | undefined)[];
  readonly storeFailures: string[];
}

/** One direction of a link: frames on their way. */
interface Direction {
  readonly from: Device;
  readonly to: Device;
  readonly frames: Uint8Array[];
  /** False: the link takes nothing. */
  isOpen: boolean;
}

/** A mesh and its clock. */
export class Lab {
  now = 0;
  readonly meshId: Uint8Array;
  readonly nonce: Uint8Array;
  readonly founder: Signer;
  readonly directions: Direction[] = [];
  /** Every frame that was delivered, decoded. */
  readonly delivered: { from: string; to: string; frame: Frame | undefined }[] = [];
  readonly #random = seededRandom(1);
  #seed = 0;

  constructor() {
    this.founder = simulatedSigner(this.#random);
    const made = newMesh(this.founder.peerId, (length) => bytesFrom(this.#random, length));
    this.meshId = made.meshId;
    this.nonce = made.nonce;
  }

  signer(): Signer {
    return simulatedSigner(this.#random);
  }

  /** A device that runs a core of this mesh. */
  device(name: string, parts: { signer?: Signer; store?: MeshStore; skewMs?: number } = {}): Device {
    const signer = parts.signer ?? this.signer();
    const store = parts.store ?? new MemoryStore();
    const told = {
      insertions: [] as Insertion[],
      faults: [] as Fault[],
      closed: [] as PeerId[],
      forks: [] as { peerId: PeerId; self: boolean }[],
      skews: [] as { peerId: PeerId; aheadMs: number }[],
      changed: [] as PeerId[],
      secrets: [] as string[],
      topics: [] as (string | undefined)[],
      storeFailures: [] as string[],
    };
    const listener: MeshListener = {
      inserted: (insertions) => told.insertions.push(...insertions),
      membersChanged: (peerIds) => told.changed.push(...peerIds),
      topicChanged: (_room, topic) => told.topics.push(topic),
      holdingsChanged() {},
      secretChanged: ({ secret }) => told.secrets.push(toHex(secret)),
      forked: (peerId, self) => told.forks.push({ peerId, self }),
      clockSkew: (peerId, aheadMs) => told.skews.push({ peerId, aheadMs }),
      fault: (fault, close) => {
        told.faults.push(fault);
        if (close) told.closed.push(fault.peerId);
      },
      storeFailed: (message) => told.storeFailures.push(message),
    };
    this.#seed += 1;
    const own = { skewMs: parts.skewMs ?? 0 };
    const core = new MeshCore({
      meshId: this.meshId,
      signer,
      verify: simulatedVerify,
      sealer: simulatedSealer(signer.publicKey),
      store,
      clock: { now: () => startMs + this.now + own.skewMs, monotonic: () => this.now },
      random: coreRandom(this.#seed),
      listener,
    });
    const setSkew = (ms: number): void => {
      own.skewMs = ms;
    };
    return { name, core, store, signer, setSkew, ...told };
  }

  /** Founds the mesh and admits the others; all are linked with the founder until the log is everywhere. */
  mesh(...names: string[]): Device[] {
    const [first = "founder", ...rest] = names;
    const founder = this.device(first, { signer: this.founder });
    must(founder.core.found("a mesh", this.nonce));
    const others = rest.map((name) => this.device(name));
    for (const other of others) must(founder.core.admit(other.core.self));
    for (const other of others) this.link(founder, other);
    this.settle();
    for (const other of others) this.unlink(founder, other);
    return [founder, ...others];
  }

  link(a: Device, b: Device): void {
    for (const [from, to] of [[a, b] as const, [b, a] as const])
      this.directions.push({ from, to, frames: [], isOpen: true });
    for (const [from, to] of [[a, b] as const, [b, a] as const]) {
      const direction = this.direction(from, to);
      const result = from.core.linkUp(to.core.self, (frame) => {
        if (direction.isOpen) direction.frames.push(frame);
        return direction.isOpen;
      });
      if (!result.ok) throw new Error(`${from.name} refused ${to.name}: ${result.message}`);
    }
  }

  /** Ends the link; what is on its way is lost. */
  unlink(a: Device, b: Device): void {
    for (const [from, to] of [[a, b] as const, [b, a] as const]) {
      this.directions.splice(this.directions.indexOf(this.direction(from, to)), 1);
      from.core.linkDown(to.core.self);
    }
  }

  direction(from: Device, to: Device): Direction {
    const found = this.directions.find((one) => one.from === from && one.to === to);
    if (found === undefined) throw new Error(`no link from ${from.name} to ${to.name}`);
    return found;
  }

  /** Delivers everything that is on its way, and what that causes, without time passing. */
  deliver(): void {
    for (let left = true; left;) {
      left = false;
      for (const { from, to, frames } of this.directions) {
        const frame = frames.shift();
        if (frame === undefined) continue;
        left = true;
        this.delivered.push({ from: from.name, to: to.name, frame: decodeFrame(frame) });
        to.core.receive(from.core.self, frame);
      }
    }
  }

  /** Lets time pass in steps of 50 ms, ticking every linked device and delivering. */
  advance(ms: number): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now = Math.min(end, this.now + 50);
      for (const device of new Set(this.directions.map(({ from }) => from))) device.core.tick();
      this.deliver();
    }
  }

  /** Time for a round of everything but anti-entropy. */
  settle(): void {
    this.deliver();
    this.advance(2_000);
  }

  /** An entry signed by `signer`, with `content` over sensible defaults, whether it is valid or not. */
  forge(signer: Signer, content: Partial<EntryContent>): Entry {
    return encodeEntry(
      this.meshId,
      {
        kind: entryKinds.chat,
        author: toHex(signer.publicKey),
        chain: "00000000000000aa",
        sequence: 1,
        previous: undefined,
        clock: (startMs + this.now) * 1000,
        parents: [],
        room: "lobby",
        body: Buffer.from("forged"),
        ...content,
      },
      (message) => signer.sign(message),
    );
  }
}

/** The hash of something that must have worked. */
export function must(result: ReturnType<MeshCore["publish"]>): string {
  if (!result.ok) throw new Error(`${result.code}: ${result.message}`);
  return result.hash;
}

/** Writes a line in the lobby. */
export function say(device: Device, text: string, room = "lobby"): string {
  return must(device.core.publish({ kind: "chat", room, text }));
}

/** Texts of a room as a device shows them. */
export function lines(device: Device, room = "lobby"): string[] {
  return device.core.timeline({ room }, 1_000_000).map(({ text }) => text);
}

/** Codes of the faults a device noted. */
export function codes(device: Device): string[] {
  return device.faults.map(({ code }) => code);
}
