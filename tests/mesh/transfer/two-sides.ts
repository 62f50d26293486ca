/**
 * Two exchanges with a wire between them that can be cut at any frame, disks in memory that outlive a killed process, and
 * everything each side told.
 */
import { FileStoreError, type FileStore } from "../../../src/mesh/transfer/file-store.ts";
import { FileExchange } from "../../../src/mesh/transfer/exchange.ts";
import { numberedName } from "../../../src/mesh/transfer/file-name.ts";
import type { TransferRecord } from "../../../src/mesh/transfer/records.ts";
import type { TransferView } from "../../../src/mesh/transfer/transfer.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** Lets everything that waits for promises go on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A disk that is there in the next run. */
class MemoryDisk {
  readonly files = new Map<string, { bytes: Uint8Array; modifiedMs: number }>();
  readonly parts = new Map<string, Uint8Array>();
  /** Room for files that arrive. */
  roomBytes = Infinity;
  /** While set, writing waits for it. */
  gate: Promise<void> | undefined;

  put(path: string, bytes: Uint8Array, modifiedMs = 1): void {
    this.files.set(path, { bytes, modifiedMs });
  }

  /** The disk as one run sees it; once that is killed nothing it began has any effect. */
  run(isAlive: () => boolean): FileStore {
    const alive = async <Value>(run: () => Value): Promise<Value> => {
      await this.gate;
      await Promise.resolve();
      if (!isAlive()) return new Promise<Value>(() => {});
      return run();
    };
    return {
      openSource: (path) =>
        alive(() => {
          const file = this.files.get(path);
          if (file === undefined) throw new FileStoreError("not-found", `${path} does not exist`);
          const { bytes, modifiedMs } = file;
          return {
            name: path.split("/").at(-1) ?? "",
            size: bytes.length,
            modifiedMs,
            read: (offset: number, length: number) => {
              const now = this.files.get(path)?.bytes ?? new Uint8Array();
              return alive(() => now.slice(offset, offset + length));
            },
            close: () => alive(() => {}),
          };
        }),
      openPart: (name, key, size) => {
        const part = `${name}.${key}.part`;
        const bytes = (): Uint8Array => this.parts.get(part) ?? new Uint8Array();
        return alive(() => {
          if (size - bytes().length > this.roomBytes) throw new FileStoreError("no-space", "full");
          this.parts.set(part, bytes());
          return {
            size: bytes().length,
            read: (offset: number, length: number) => alive(() => bytes().slice(offset, offset + length)),
            write: (offset: number, more: Uint8Array) =>
              alive(() => {
                if (offset !== bytes().length) throw new Error(`a hole at ${offset}`);
                this.parts.set(part, Buffer.concat([bytes(), more]));
              }),
            finish: (wanted: string) =>
              alive(() => {
                let target = wanted;
                for (let number = 2; this.files.has(target); number += 1)
                  target = numberedName(wanted, number);
                this.put(target, bytes());
                this.parts.delete(part);
                return target;
              }),
            close: () => alive(() => {}),
            discard: () => alive(() => void this.parts.delete(part)),
          };
        });
      },
    };
  }
}

/** One side: runs of an exchange, one after the other, over one disk. */
export class Side {
  readonly name: string;
  readonly disk = new MemoryDisk();
  readonly clock: ManualClock;
  readonly faults: string[] = [];
  /** All that was shown, over all runs. */
  readonly shown: TransferView[] = [];
  exchange: FileExchange;
  /** How often what is to be remembered was written. */
  saves = 0;
  #records: readonly TransferRecord[] = [];
  #run = 0;
  #ids = 0;

  constructor(name: string, clock: ManualClock) {
    this.name = name;
    this.clock = clock;
    this.exchange = this.#start();
  }

  /** Kills the run and starts another one. */
  restart(): void {
    this.exchange = this.#start();
  }

  #start(): FileExchange {
    this.#run += 1;
    const run = this.#run;
    const isAlive = (): boolean => this.#run === run;
    return new FileExchange({
      store: this.disk.run(isAlive),
      records: {
        // Through JSON, as on a disk.
        load: () => JSON.parse(JSON.stringify(this.#records)) as TransferRecord[],
        save: (records) => {
          if (!isAlive()) return;
          this.saves += 1;
          this.#records = records;
        },
      },
      clock: this.clock,
      randomBytes: (length) => {
        this.#ids += 1;
        return Buffer.alloc(length).fill(`${this.name}${this.#ids};`);
      },
      changed: (view) => {
        if (isAlive()) this.shown.push(view);
      },
      fault: (_, detail) => this.faults.push(detail),
    });
  }

  /** The latest state of the only transfer. */
  get last(): TransferView | undefined {
    return this.shown.at(-1);
  }
}

/** Outbox and wire of one direction. */
class Direction {
  readonly queue: Uint8Array[] = [];
  bytes = 0;
  wasRefused = false;
}

/** The wire between two sides. */
export class Wire {
  readonly a: Side;
  readonly b: Side;
  isUp = false;
  /** Bytes of all frames that were delivered. */
  deliveredBytes = 0;
  readonly #toA = new Direction();
  readonly #toB = new Direction();
  /** Frames that are not bulk are refused above this. */
  readonly controlBytes: number;
  readonly bulkBytes: number;

  constructor(options: { controlBytes?: number; bulkBytes?: number } = {}) {
    const clock = new ManualClock();
    this.a = new Side("a", clock);
    this.b = new Side("b", clock);
    this.controlBytes = options.controlBytes ?? 1024 * 1024;
    this.bulkBytes = options.bulkBytes ?? 32 * 1024;
  }

  up(): void {
    if (this.isUp) return;
    this.isUp = true;
    this.#attach(this.a, "b", this.#toB);
    this.#attach(this.b, "a", this.#toA);
  }

  /** What is on the wire is lost. */
  cut(): void {
    if (!this.isUp) return;
    this.isUp = false;
    for (const direction of [this.#toA, this.#toB]) {
      direction.queue.length = 0;
      direction.bytes = 0;
      direction.wasRefused = false;
    }
    this.a.exchange.linkDown("b");
    this.b.exchange.linkDown("a");
  }

  #attach(side: Side, peer: string, direction: Direction): void {
    side.exchange.linkUp(peer, {
      send: (frame, isBulk) => {
        const isTaken = direction.bytes <= (isBulk ? this.bulkBytes : this.controlBytes);
        if (isTaken) {
          direction.queue.push(frame.slice());
          direction.bytes += frame.length;
        } else direction.wasRefused = true;
        return isTaken;
      },
    });
  }

  /** Sends raw bytes to a side, as its peer. */
  inject(to: Side, frame: Uint8Array): string | undefined {
    return to.exchange.receive(to === this.a ? "b" : "a", frame);
  }

  /** Delivers up to `count` frames each way. @returns whether there was one */
  deliver(count = Infinity): boolean {
    const one = this.#flush(this.#toB, this.b, "a", this.a, count);
    const other = this.#flush(this.#toA, this.a, "b", this.b, count);
    return one || other;
  }

  #flush(direction: Direction, to: Side, from: string, sender: Side, count: number): boolean {
    const frames = direction.queue.splice(0, count);
    for (const frame of frames) {
      direction.bytes -= frame.length;
      this.deliveredBytes += frame.length;
      const problem = to.exchange.receive(from, frame);
      if (problem !== undefined) throw new Error(`${to.name} was sent a bad frame: ${problem}`);
    }
    if (frames.length > 0 && direction.queue.length === 0 && direction.wasRefused) {
      direction.wasRefused = false;
      sender.exchange.drained(to.name);
    }
    return frames.length > 0;
  }

  /** Delivers until nothing moves any more. */
  async quiet(): Promise<void> {
    for (let still = 0; still < 4;) {
      await settle();
      still = this.isUp && this.deliver() ? 0 : still + 1;
    }
  }
}
