/**
 * One file on its way in.
 *
 * Nothing is written before the person accepts. Then bytes go in order into a part file, at most one window of them
 * waiting in memory; what is on disk is acknowledged. After a cut, or in another run, what is there already is hashed
 * again and the sender is told to go on behind it. Only when all is there and its SHA-256 is the one offered does the
 * file get its name. Invariant: `written <= received <= size`, and the hash is over exactly the first `written` bytes.
 */
import { createHash, type Hash } from "node:crypto";
import { transferLimits } from "../../protocol/limits.peer.ts";
import { safeFileName } from "./file-name.ts";
import { FileStoreError, type PartFile } from "./file-store.ts";
import type { Offer, Place } from "./frames.ts";
import type { StopCode } from "./stop-codes.ts";
import { stopCodeOf, type Stopped, type TransferHost, type TransferState } from "./transfer.ts";

/** See above. */
export class Incoming {
  readonly id: string;
  readonly offer: Offer;
  /** Safe to show and to store under. */
  readonly name: string;
  readonly #host: TransferHost;
  /** Tells part files of one name apart. */
  readonly #key: string;
  #state: TransferState;
  #stopped: Stopped | undefined;
  #path: string | undefined;
  #part: PartFile | undefined;
  #hash: Hash = createHash("sha256");
  readonly #queue: Uint8Array[] = [];
  #received = 0;
  #written = 0;
  /** The sender may send up to a window beyond this. */
  #allowedFrom = 0;
  #generation = 0;
  /** The sender is to be told where to go on, as soon as what has come is written. */
  #owesAccept = false;
  #work: Promise<void> | undefined;
  /** The sender has been asked since the last cut. */
  #isReady = false;
  #isClosing = false;

  /**
   * @param key 12 hex digits that only this transfer of this peer has
   * @param state `waiting` or `done` when an earlier run got as far as that
   */
  constructor(
    id: string,
    offer: Offer,
    key: string,
    state: "offered" | "waiting" | "done",
    host: TransferHost,
  ) {
    this.id = id;
    this.offer = offer;
    this.name = safeFileName(offer.name);
    this.#key = key;
    this.#host = host;
    this.#state = state;
    if (state === "done") this.#written = offer.size;
  }

  get state(): TransferState {
    // While what is there already is hashed, nobody can be told yet how far it is.
    return this.#state === "running" && !this.#isReady ? "waiting" : this.#state;
  }

  /** It has one of the places: its part file is open, or is being opened. */
  get isBegun(): boolean {
    return this.#state === "running";
  }

  get stopped(): Stopped | undefined {
    return this.#stopped;
  }

  get path(): string | undefined {
    return this.#path;
  }

  get size(): number {
    return this.offer.size;
  }

  get done(): number {
    return this.#written;
  }

  get isEnded(): boolean {
    return this.#state === "done" || this.#state === "stopped";
  }

  /** The person wants it; {@link begin} follows when it is its turn. */
  accept(): void {
    if (this.#state !== "offered") return;
    this.#state = "waiting";
    this.#host.changed(false);
  }

  /** Its turn, and the sender is there: opens the part file, and asks for what is missing. */
  begin(): void {
    if (this.#state !== "waiting") return;
    this.#state = "running";
    this.#isReady = false;
    this.#owesAccept = true;
    this.#proceed();
  }

  /** The sender is there again, or asks again. */
  resume(): void {
    if (this.#state !== "running") return;
    this.#owesAccept = true;
    this.#proceed();
  }

  /** The sender is gone: its turn is over until {@link begin}. What has come is kept. */
  linkDown(): void {
    if (this.#state !== "running" || this.#isComplete) return;
    this.#state = "waiting";
    this.#generation += 1;
    this.#host.changed(false);
  }

  /** Bytes of the file. Returns what is wrong with them, if something is; the transfer has then ended. */
  chunk({ generation, offset }: Place, bytes: Uint8Array): string | undefined {
    if (this.#state === "offered") return this.#refuse("sent a file that was not accepted");
    // On its way from before a cut, or from before the end.
    if (this.#state !== "running" || generation !== this.#generation) return undefined;
    const end = offset + bytes.length;
    if (offset !== this.#received) return this.#refuse(`sent byte ${offset} instead of ${this.#received}`);
    if (end > this.size) return this.#refuse(`sent more than the ${this.size} bytes that were offered`);
    if (end > this.#allowedFrom + transferLimits.windowBytes)
      return this.#refuse("sent faster than asked for");
    this.#queue.push(bytes);
    this.#received = end;
    this.#proceed();
    return undefined;
  }

  /** The other side ended it. */
  stoppedByThem(code: StopCode): void {
    if (!this.isEnded) this.#end(code, "them");
  }

  /** Ends it, telling the other side. */
  stop(code: StopCode, detail?: string): void {
    if (this.isEnded) return;
    this.#host.send({ type: "stop", id: this.id, code }, false);
    this.#end(code, "us", detail);
  }

  /** Writes what has come and lets go of the file, for the next run to go on with. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#work;
    const part = this.#part;
    this.#part = undefined;
    if (!this.isEnded) this.#state = "waiting";
    await part?.close().catch(ignore);
  }

  get #isComplete(): boolean {
    return this.#received === this.size;
  }

  #refuse(problem: string): string {
    this.stop("bad-chunk", problem);
    return `${problem} (${this.name})`;
  }

  /** One worker at a time opens, writes, acknowledges and finishes. */
  #proceed(): void {
    if (this.#work !== undefined || this.#isClosing) return;
    this.#work = this.#run()
      .catch((error: unknown) => {
        if (!(error instanceof FileStoreError)) throw error;
        this.stop(stopCodeOf(error), error.message);
      })
      .then(async () => {
        if (this.#state === "stopped") await this.#discard();
        this.#work = undefined;
        this.#host.changed(true);
        if (!this.isEnded && this.#hasWork) this.#proceed();
      });
  }

  get #hasWork(): boolean {
    return this.#queue.length > 0 || (this.#owesAccept && this.#state === "running");
  }

  async #run(): Promise<void> {
    const part = this.#part ?? (await this.#open());
    while (!this.isEnded) {
      const bytes = this.#queue.shift();
      if (bytes !== undefined) await this.#write(part, bytes);
      else if (this.#written === this.size) return this.#finish(part);
      else if (this.#owesAccept && this.#state === "running") this.#ask();
      else return;
    }
  }

  async #open(): Promise<PartFile> {
    const part = await this.#host.store.openPart(this.name, this.#key, this.size);
    this.#part = part;
    this.#hash = createHash("sha256");
    this.#written = 0;
    while (this.#written < part.size && !this.isEnded && !this.#isClosing) {
      const bytes = await part.read(this.#written, transferLimits.hashBytes);
      if (bytes.length === 0) break;
      this.#hash.update(bytes);
      this.#written += bytes.length;
      this.#host.changed(true);
    }
    this.#received = this.#written;
    return part;
  }

  async #write(part: PartFile, bytes: Uint8Array): Promise<void> {
    await part.write(this.#written, bytes);
    this.#hash.update(bytes);
    this.#written += bytes.length;
    this.#host.changed(true);
    const isDue =
      this.#queue.length === 0 || this.#written - this.#allowedFrom >= transferLimits.windowBytes / 4;
    if (!isDue || this.#state !== "running" || this.#owesAccept) return;
    this.#allowedFrom = this.#written;
    const { id } = this;
    this.#host.send({ type: "ack", id, generation: this.#generation, offset: this.#written }, false);
  }

  /** Only with an empty queue, so that asking again and again never makes it longer than one window. */
  #ask(): void {
    this.#owesAccept = false;
    if (!this.#isReady) {
      this.#isReady = true;
      this.#host.changed(false);
    }
    this.#generation = (this.#generation + 1) % 0x1_0000_0000;
    this.#allowedFrom = this.#written;
    const { id } = this;
    this.#host.send({ type: "accept", id, generation: this.#generation, offset: this.#written }, false);
  }

  async #finish(part: PartFile): Promise<void> {
    if (this.#hash.digest("hex") !== this.offer.hash) return this.stop("wrong-hash");
    const path = await part.finish(this.name);
    this.#part = undefined;
    if (this.isEnded) return; // Stopped while it got its name: the file is whole, and stays.
    this.#path = path;
    this.#state = "done";
    this.#host.send({ type: "done", id: this.id }, false);
    this.#host.changed(false);
  }

  #end(code: StopCode, by: "us" | "them", detail?: string): void {
    this.#state = "stopped";
    this.#stopped = { code, by, ...(detail === undefined ? {} : { detail }) };
    this.#queue.length = 0;
    if (this.#work === undefined) this.#work = this.#discard().then(() => (this.#work = undefined));
    this.#host.changed(false);
  }

  async #discard(): Promise<void> {
    const part = this.#part;
    this.#part = undefined;
    await part?.discard().catch(ignore);
  }
}

/** What cannot be closed or removed now stays where it is, under the name of a part file. */
function ignore(): void {}
