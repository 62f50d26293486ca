/**
 * All file transfers of one device: who offered what to whom, what is accepted, and whose turn it is.
 *
 * It knows neither sockets nor the mesh. Whoever carries frames tells it when a peer can be reached ({@link linkUp}, again
 * whenever the way to them has changed), when not, what came, and when the way is free again; everything else follows. A
 * transfer belongs to a peer and not to a connection: it survives cuts, and restarts of either side by its record.
 *
 * Going on after a cut rests on one rule: the sender offers again, and the receiver answers with what it has (`accept` at an
 * offset, `done`, or `stop`). All three may be said any number of times. So a frame that a full carrier did not take needs
 * no queue: when the carrier is empty again, everything is said once more.
 *
 * Bounds: offers shown and files begun a peer and in all, memory a transfer (incoming.ts, outgoing.ts), records.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../protocol/clock.ts";
import { transferLimits } from "../../protocol/limits.peer.ts";
import { FormatError } from "../core/bytes.ts";
import { Bucket } from "../core/link.ts";
import type { FileStore } from "./file-store.ts";
import {
  decodeTransferFrame,
  encodeTransferFrame,
  transferIdBytes,
  type Offer,
  type TransferFrame,
} from "./frames.ts";
import { Incoming } from "./incoming.ts";
import { Outgoing } from "./outgoing.ts";
import type { StopCode } from "./stop-codes.ts";
import type { TransferRecord, TransferRecords } from "./records.ts";
import { TransferTable, type Entry } from "./table.ts";
import type { TransferHost, TransferView } from "./transfer.ts";

/** One way to a peer. Keeps frames whole and in order. */
export interface TransferCarrier {
  /**
   * Sends one frame.
   * @param isBulk a piece of a file: to be taken only when hardly anything else waits, so that messages go first
   * @returns false when it was not taken; {@link FileExchange.drained} must follow as soon as it would be
   */
  send(frame: Uint8Array, isBulk: boolean): boolean;
}

/** What an exchange needs. */
export interface FileExchangeOptions {
  readonly store: FileStore;
  readonly records: TransferRecords;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  /** A transfer began, went on or ended. Progress comes a few times a second at most. */
  changed(transfer: TransferView): void;
  /** A peer did what no honest one does. `detail` holds no foreign text that is not made safe. */
  fault(peer: string, detail: string): void;
}

/** Why something that a person asked for was not done. */
export type Refusal = "no-such-transfer" | "not-offered" | "too-many";

interface Reach {
  readonly carrier: TransferCarrier;
  /** The carrier did not take something that is not bulk. */
  isBehind: boolean;
}

/** See the head of this file. */
export class FileExchange {
  readonly #options: FileExchangeOptions;
  readonly #table: TransferTable;
  readonly #reach = new Map<string, Reach>();
  readonly #buckets = new Map<string, Bucket>();
  /** What was saved last, so that nobody makes us write the same again and again. */
  #saved = "[]";

  constructor(options: FileExchangeOptions) {
    this.#options = options;
    this.#table = new TransferTable(options.clock, (view) => options.changed(view));
    const oldest = options.clock.now() - transferLimits.rememberMs;
    for (const record of options.records.load()) if (record.at > oldest) this.#restore(record);
  }

  /** Everything that is under way, and what ended last. */
  list(): readonly TransferView[] {
    return this.#table.views();
  }

  /**
   * Offers a file; reading it comes first, and the events tell of both.
   * @returns the transfer's number
   */
  offer(peer: string, path: string): number | Refusal {
    if (this.#table.pending(peer, "out") >= transferLimits.pendingPerPeer) return "too-many";
    const id = Buffer.from(this.#options.randomBytes(transferIdBytes)).toString("hex");
    const transfer = new Outgoing(id, path, undefined, this.#host(peer, "out", id));
    const { number } = this.#table.add({ direction: "out", peer, transfer });
    void transfer.prepare();
    return number;
  }

  /**
   * Takes what was offered.
   * @returns `later` when its turn, or the sender, has yet to come
   */
  accept(number: number): Refusal | "later" | undefined {
    const entry = this.#table.byNumber(number);
    if (entry === undefined) return "no-such-transfer";
    if (entry.direction === "out" || entry.transfer.state !== "offered") return "not-offered";
    entry.transfer.accept();
    this.#save();
    this.#nextTurn(entry.peer);
    return entry.transfer.isBegun ? undefined : "later";
  }

  /** Refuses an offer, or ends whatever is under way, on both sides. */
  cancel(number: number): Refusal | undefined {
    const entry = this.#table.byNumber(number);
    if (entry === undefined || entry.transfer.isEnded) return "no-such-transfer";
    const isOffer = entry.direction === "in" && entry.transfer.state === "offered";
    entry.transfer.stop(isOffer ? "refused" : "cancelled");
    return undefined;
  }

  /** A peer can be reached, over this carrier from now on. */
  linkUp(peer: string, carrier: TransferCarrier): void {
    this.#reach.set(peer, { carrier, isBehind: false });
    this.#resume(peer);
  }

  /** A peer cannot be reached any more. */
  linkDown(peer: string): void {
    this.#reach.delete(peer);
    for (const { transfer } of this.#table.of(peer)) transfer.linkDown();
  }

  /** The carrier takes frames again. */
  drained(peer: string): void {
    const reach = this.#reach.get(peer);
    if (reach === undefined) return;
    if (reach.isBehind) {
      reach.isBehind = false;
      this.#resume(peer);
    }
    for (const entry of this.#table.of(peer)) if (entry.direction === "out") entry.transfer.drained();
  }

  /** A peer is no partner any more: everything with them ends. */
  forget(peer: string): void {
    for (const { transfer } of this.#table.of(peer)) transfer.stop("cancelled");
    this.linkDown(peer);
    this.#buckets.delete(peer);
  }

  /**
   * A frame from a peer.
   * @returns what is wrong with it when it breaks the format: no frame of theirs can be believed then
   */
  receive(peer: string, bytes: Uint8Array): string | undefined {
    let frame: TransferFrame | undefined;
    try {
      frame = decodeTransferFrame(bytes);
    } catch (error) {
      if (error instanceof FormatError) return error.message;
      throw error;
    }
    if (frame === undefined) return undefined;
    const problem = this.#receive(peer, frame);
    if (problem !== undefined) this.#options.fault(peer, problem);
    return undefined;
  }

  /** Writes what has come and lets go of all files. Nothing may be called afterwards. */
  async close(): Promise<void> {
    this.#save();
    this.#reach.clear();
    await Promise.all(this.#table.all().map(({ transfer }) => transfer.close()));
  }

  #receive(peer: string, frame: TransferFrame): string | undefined {
    const incoming = this.#table.incoming(peer, frame.id);
    const outgoing = this.#table.outgoing(peer, frame.id);
    switch (frame.type) {
      case "offer":
        return this.#offered(peer, frame.id, frame.offer, incoming);
      case "chunk":
        return incoming?.chunk(frame, frame.bytes);
      case "accept":
        if (outgoing === undefined) this.#send(peer, { type: "stop", id: frame.id, code: "unknown" }, false);
        return outgoing?.accepted(frame);
      case "ack":
        return outgoing?.acknowledged(frame);
      case "done":
        outgoing?.completed();
        return undefined;
      case "stop":
        (incoming ?? outgoing)?.stoppedByThem(frame.code);
        return undefined;
    }
  }

  #offered(peer: string, id: string, offer: Offer, known: Incoming | undefined): string | undefined {
    if (known !== undefined) return this.#offeredAgain(peer, offer, known);
    const refuse = (code: StopCode): void => void this.#send(peer, { type: "stop", id, code }, false);
    if (offer.size > transferLimits.fileBytes) {
      refuse("too-large");
      return undefined;
    }
    const { pendingPerPeer, pendingMost } = transferLimits;
    const isFull = this.#table.pending(peer, "in") >= pendingPerPeer || this.#table.pendingIn >= pendingMost;
    if (isFull || !this.#mayOffer(peer)) {
      refuse("too-many");
      return isFull ? undefined : `offered more than ${transferLimits.offersPerMinute} files a minute`;
    }
    const transfer = new Incoming(id, offer, keyOfPart(peer, id), "offered", this.#host(peer, "in", id));
    this.#table.add({ direction: "in", peer, transfer });
    return undefined;
  }

  #offeredAgain(peer: string, offer: Offer, known: Incoming): string | undefined {
    const { id, state, stopped } = known;
    const { name, size, hash } = known.offer;
    if (name !== offer.name || size !== offer.size || hash !== offer.hash) {
      known.stop("changed");
      return `offered another file under the number of ${known.name}`;
    }
    // They have not heard how it ended.
    if (state === "done") this.#send(peer, { type: "done", id }, false);
    if (state === "stopped")
      this.#send(peer, { type: "stop", id, code: stopped?.code ?? "cancelled" }, false);
    known.resume();
    this.#nextTurn(peer);
    return undefined;
  }

  #mayOffer(peer: string): boolean {
    const now = this.#options.clock.monotonic();
    const { offersAtOnce, offersPerMinute } = transferLimits;
    let bucket = this.#buckets.get(peer);
    if (bucket === undefined) {
      bucket = new Bucket(offersPerMinute / 60, offersAtOnce, now);
      this.#buckets.set(peer, bucket);
    }
    return bucket.take(1, now);
  }

  /** Says again how everything with this peer stands. */
  #resume(peer: string): void {
    for (const entry of this.#table.of(peer)) {
      if (entry.direction === "out") entry.transfer.linkUp();
      else entry.transfer.resume();
    }
    this.#nextTurn(peer);
  }

  /** Begins what was accepted, as far as there are places. */
  #nextTurn(peer: string): void {
    if (!this.#reach.has(peer)) return;
    const incoming = this.#table.of(peer).flatMap((one) => (one.direction === "in" ? [one.transfer] : []));
    let running = incoming.filter(({ isBegun }) => isBegun).length;
    for (const transfer of incoming) {
      if (running >= transferLimits.incomingPerPeer) return;
      if (transfer.state !== "waiting" || transfer.isBegun) continue;
      transfer.begin();
      running += 1;
    }
  }

  #send(peer: string, frame: TransferFrame, isBulk: boolean): boolean {
    const reach = this.#reach.get(peer);
    if (reach === undefined) return false;
    const isTaken = reach.carrier.send(encodeTransferFrame(frame), isBulk);
    if (!isTaken && !isBulk) reach.isBehind = true;
    return isTaken;
  }

  #host(peer: string, direction: "in" | "out", id: string): TransferHost {
    return {
      store: this.#options.store,
      send: (frame, isBulk) => this.#send(peer, frame, isBulk),
      changed: (isProgress) => {
        const entry = this.#table.find(peer, direction, id);
        // Not in the table yet while it is made.
        if (entry === undefined) return;
        this.#table.changed(entry, isProgress);
        if (isProgress) return;
        if (entry.transfer.isEnded) this.#nextTurn(peer);
        this.#save();
      },
    };
  }

  #restore(record: TransferRecord): void {
    const { peer, id, offer, at } = record;
    const host = this.#host(peer, record.direction, id);
    if (record.direction === "out") {
      const { path, modifiedMs, isAccepted } = record;
      const transfer = new Outgoing(id, path, { offer, modifiedMs, isAccepted }, host);
      this.#table.add({ direction: "out", peer, transfer }, at);
      return;
    }
    const transfer = new Incoming(id, offer, keyOfPart(peer, id), record.isDone ? "done" : "waiting", host);
    this.#table.add({ direction: "in", peer, transfer }, at);
  }

  #save(): void {
    const records = this.#table.all().flatMap((entry): TransferRecord[] => {
      const { peer, at } = entry;
      const { id } = entry.transfer;
      if (entry.direction === "in") return recordsOfIncoming(entry);
      const { record, path } = entry.transfer;
      if (record === undefined) return [];
      const { offer, modifiedMs, isAccepted } = record;
      return [{ direction: "out", id, peer, path, offer, modifiedMs, isAccepted, at }];
    });
    const text = JSON.stringify(records);
    if (text === this.#saved) return;
    this.#saved = text;
    this.#options.records.save(records);
  }
}

/** Tells part files of one name apart: two peers may choose one ID, but cannot write into each other's file. */
function keyOfPart(peer: string, id: string): string {
  return createHash("sha256").update(`${peer}\0${id}`).digest("hex").slice(0, 12);
}

function recordsOfIncoming({ peer, at, transfer }: Entry & { readonly direction: "in" }): TransferRecord[] {
  const { id, offer, state } = transfer;
  if (state === "offered" || state === "stopped") return [];
  return [{ direction: "in", id, peer, offer, isDone: state === "done", at }];
}
