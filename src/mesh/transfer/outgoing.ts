/**
 * One file on its way out.
 *
 * It is read once to make its hash, offered, and then sent from wherever the receiver says; so a cut needs no memory of
 * what was sent: the offer is made again and the answer names the place. Memory is bounded by what is sent and not yet
 * acknowledged (`windowBytes`) and one chunk that is being read. Invariant: `acked <= next <= size`, and while running
 * at most one reader is at work, whatever wakes it.
 */
import { createHash } from "node:crypto";
import { transferLimits } from "../../protocol/limits.peer.ts";
import { safeFileName } from "./file-name.ts";
import { FileStoreError, type SourceFile } from "./file-store.ts";
import type { Offer, Place } from "./frames.ts";
import type { StopCode } from "./stop-codes.ts";
import { stopCodeOf, type Stopped, type TransferHost, type TransferState } from "./transfer.ts";

/** What an earlier run has offered. */
export interface Offered {
  readonly offer: Offer;
  readonly modifiedMs: number;
  readonly isAccepted: boolean;
}

/** See above. */
export class Outgoing {
  readonly id: string;
  readonly path: string;
  readonly #host: TransferHost;
  #source: SourceFile | undefined;
  #offered: Offered | undefined;
  #state: TransferState;
  #stopped: Stopped | undefined;
  #generation = 0;
  #next = 0;
  #acked = 0;
  /** The carrier took no more; {@link drained} goes on. */
  #isBlocked = false;
  #isPumping = false;
  /** Changes with every cut, accept and end: what was begun before it is dropped. */
  #epoch = 0;
  #opening: Promise<void> | undefined;

  /** @param offered what an earlier run offered; undefined for a new file, which {@link prepare} reads */
  constructor(id: string, path: string, offered: Offered | undefined, host: TransferHost) {
    this.id = id;
    this.path = path;
    this.#host = host;
    this.#offered = offered;
    this.#state = offered === undefined ? "reading" : offered.isAccepted ? "waiting" : "offered";
  }

  get state(): TransferState {
    return this.#state;
  }

  get stopped(): Stopped | undefined {
    return this.#stopped;
  }

  get isEnded(): boolean {
    return this.#state === "done" || this.#state === "stopped";
  }

  get name(): string {
    return safeFileName(
      this.#offered?.offer.name ?? this.#source?.name ?? this.path.split(/[/\\]/).at(-1) ?? "",
    );
  }

  get size(): number {
    return this.#offered?.offer.size ?? this.#source?.size ?? 0;
  }

  get done(): number {
    return this.#state === "done" ? this.size : this.#acked;
  }

  /** What to remember for the next run; undefined while there is nothing to go on with. */
  get record(): Offered | undefined {
    return this.isEnded ? undefined : this.#offered;
  }

  /** Reads the file, makes its hash and offers it. */
  prepare(): Promise<void> {
    return this.#guarded(async (isCurrent) => {
      const source = await this.#open();
      if (source === undefined || !isCurrent()) return;
      if (source.size > transferLimits.fileBytes) {
        const detail = `${source.size} bytes, and at most ${transferLimits.fileBytes} are sent`;
        return this.#end("too-large", "us", detail);
      }
      const hash = createHash("sha256");
      while (this.#acked < source.size) {
        const bytes = await source.read(this.#acked, transferLimits.hashBytes);
        if (!isCurrent()) return;
        if (bytes.length === 0) return this.stop("changed");
        hash.update(bytes);
        this.#acked += bytes.length;
        this.#host.changed(true);
      }
      this.#acked = 0;
      const offer = { name: this.#nameToOffer(source.name), size: source.size, hash: hash.digest("hex") };
      this.#offered = { offer, modifiedMs: source.modifiedMs, isAccepted: false };
      this.#state = "offered";
      this.#host.send({ type: "offer", id: this.id, offer }, false);
      this.#host.changed(false);
    });
  }

  /** The other side can be reached, or may have missed something: offers again; the answer says where to go on. */
  linkUp(): void {
    if (this.isEnded || this.#offered === undefined) return;
    this.#pause();
    const { offer } = this.#offered;
    this.#host.send({ type: "offer", id: this.id, offer }, false);
  }

  linkDown(): void {
    if (this.#state === "running") this.#pause();
  }

  /** The carrier takes chunks again. */
  drained(): void {
    this.#isBlocked = false;
    this.#pump();
  }

  /** The receiver wants it from `offset` on. Returns what is wrong with that, if something is. */
  accepted({ generation, offset }: Place): string | undefined {
    if (this.isEnded || this.#offered === undefined) return undefined;
    if (offset > this.size) return `asked for what is after the end of ${this.name}`;
    const isNew = !this.#offered.isAccepted || this.#state !== "running";
    this.#offered = { ...this.#offered, isAccepted: true };
    this.#generation = generation;
    this.#next = offset;
    this.#acked = offset;
    this.#isBlocked = false;
    this.#epoch += 1;
    this.#state = "running";
    if (isNew) this.#host.changed(false);
    this.#pump();
    return undefined;
  }

  /** The receiver has everything before `offset`. Returns what is wrong with that, if something is. */
  acknowledged({ generation, offset }: Place): string | undefined {
    if (this.#state !== "running" || generation !== this.#generation) return undefined;
    if (offset < this.#acked || offset > this.#next) return `acknowledged what was not sent of ${this.name}`;
    this.#acked = offset;
    this.#host.changed(true);
    this.#pump();
    return undefined;
  }

  /** The receiver has all of it, checked. Before the offer nobody can know of it. */
  completed(): void {
    if (this.isEnded || this.#offered === undefined) return;
    this.#state = "done";
    this.#finish();
  }

  /** The other side ended it. */
  stoppedByThem(code: StopCode): void {
    if (!this.isEnded) this.#end(code, "them");
  }

  /** Ends it, telling the other side. */
  stop(code: StopCode, detail?: string): void {
    if (this.isEnded) return;
    if (this.#offered !== undefined) this.#host.send({ type: "stop", id: this.id, code }, false);
    this.#end(code, "us", detail);
  }

  /** Lets go of the file, for the next run to go on with. */
  async close(): Promise<void> {
    this.#epoch += 1;
    this.#state = this.isEnded ? this.#state : "waiting";
    const source = this.#source;
    this.#source = undefined;
    await source?.close().catch(ignore);
  }

  #nameToOffer(name: string): string {
    return name.slice(0, transferLimits.offeredNameCharacters).toWellFormed();
  }

  #pause(): void {
    this.#epoch += 1;
    this.#isBlocked = false;
    if (this.#state !== "running") return;
    this.#state = "waiting";
    this.#host.changed(false);
  }

  #pump(): void {
    if (this.#isPumping || !this.#maySend) return;
    this.#isPumping = true;
    void this.#guarded((isCurrent) => this.#send(isCurrent)).then(() => {
      this.#isPumping = false;
      // What woke us while the last read was given up.
      this.#pump();
    });
  }

  get #maySend(): boolean {
    return this.#state === "running" && !this.#isBlocked && this.#length > 0;
  }

  /** Bytes of the next chunk; 0 when the window is full or nothing is left. */
  get #length(): number {
    const window = this.#acked + transferLimits.windowBytes;
    return Math.min(transferLimits.chunkBytes, Math.min(this.size, window) - this.#next);
  }

  async #send(isCurrent: () => boolean): Promise<void> {
    const source = await this.#open();
    while (source !== undefined && isCurrent() && this.#maySend) {
      const [offset, length] = [this.#next, this.#length];
      const bytes = await source.read(offset, length);
      if (!isCurrent()) return;
      if (bytes.length !== length) return this.stop("changed");
      const { id } = this;
      const generation = this.#generation;
      if (this.#host.send({ type: "chunk", id, generation, offset, bytes }, true)) this.#next += length;
      else this.#isBlocked = true;
    }
  }

  /** The file, opened once; ended as `changed` when it is not what was offered. */
  async #open(): Promise<SourceFile | undefined> {
    this.#opening ??= (async () => {
      const source = await this.#host.store.openSource(this.path);
      if (this.isEnded) return source.close();
      this.#source = source;
    })();
    await this.#opening;
    const [source, offered] = [this.#source, this.#offered];
    const isSame =
      offered === undefined ||
      (source?.size === offered.offer.size && source.modifiedMs === offered.modifiedMs);
    if (source !== undefined && !isSame) {
      this.stop("changed");
      return undefined;
    }
    return source;
  }

  /** Runs something that reads; a disk that fails ends the transfer and nothing else. */
  async #guarded(run: (isCurrent: () => boolean) => Promise<void>): Promise<void> {
    const epoch = this.#epoch;
    try {
      await run(() => this.#epoch === epoch && !this.isEnded);
    } catch (error) {
      if (!(error instanceof FileStoreError)) throw error;
      // Nothing that was never offered can have changed.
      const code = this.#offered === undefined ? "disk" : stopCodeOf(error);
      if (!this.isEnded) this.stop(code, error.message);
    }
  }

  #end(code: StopCode, by: "us" | "them", detail?: string): void {
    this.#state = "stopped";
    this.#stopped = { code, by, ...(detail === undefined ? {} : { detail }) };
    this.#finish();
  }

  #finish(): void {
    this.#epoch += 1;
    const source = this.#source;
    this.#source = undefined;
    void source?.close().catch(ignore);
    this.#host.changed(false);
  }
}

/** A file that was only read and cannot be closed: nothing is lost by it. */
function ignore(): void {}
