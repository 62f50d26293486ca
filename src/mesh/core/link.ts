/**
 * What the core knows of one link: what the peer claims to hold, how fast it may speak, and what we owe it.
 *
 * The core keeps no queue of frames. A frame that the link does not take is dropped and the link counts as `behind`; once
 * it takes frames again, one digest restarts sync, and the peer fetches what it lacks at its own pace.
 */
import { floodLimits, syncLimits } from "../../protocol/limits.mesh.ts";
import type { EntryHash, ReasonCode, SendFrame } from "./api.ts";
import type { Body } from "./bodies.ts";
import type { Frame, Tip } from "./frames.ts";
import { isMembership } from "./membership.ts";
import type { Author, Node, Segment } from "./graph.ts";

/** A token bucket: `perSecond` sustained, `burst` at once. */
export class Bucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** @param now monotonic ms */
  constructor(perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Takes `count` tokens, or none and answers false. */
  take(count: number, now: number): boolean {
    const elapsed = Math.max(0, now - this.#at);
    this.#at = now;
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsed * this.#perMs);
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** Takes tokens for something that has cost more than could be known before, also such as are not there yet. */
  spend(count: number): void {
    this.#tokens = Math.max(-this.#burst, this.#tokens - count);
  }
}

/** Beyond this a clock difference is told: people notice a minute in a chat's times. */
const skewToldMs = 60_000;

/**
 * What one peer may do, whatever link it does it on: it outlives the link, or whoever has used everything up would only have
 * to come again.
 */
export class Meter {
  readonly frames: Bucket;
  readonly entries: Bucket;
  readonly bytes: Bucket;
  readonly pages: Bucket;
  /** Pages that we ask for. */
  readonly asks: Bucket;
  /** Frames in a row dropped for flooding. */
  dropped = 0;
  skewTold = 0;
  skewToldAt = Number.NEGATIVE_INFINITY;
  /** Others are asked for pages first until then, monotonic ms: the last one of this peer took its time. */
  restsUntil = Number.NEGATIVE_INFINITY;
  /** When its link ended, monotonic ms; undefined while there is one. */
  idleSince: number | undefined;

  constructor(now: number) {
    this.frames = new Bucket(floodLimits.framesPerSecond, floodLimits.framesBurst, now);
    this.entries = new Bucket(floodLimits.entriesPerSecond, floodLimits.entriesBurst, now);
    this.bytes = new Bucket(floodLimits.bytesPerSecond, floodLimits.bytesBurst, now);
    this.asks = new Bucket(floodLimits.pagesAskedPerSecond, floodLimits.pagesAskedBurst, now);
    this.pages = new Bucket(floodLimits.pagesPerSecond, floodLimits.pagesBurst, now);
  }

  /** Entries were taken: when some say who belongs, all that do had to be gone through. */
  charge(accepted: readonly { readonly body: Body }[], { size }: { readonly size: number }): void {
    if (!accepted.some(({ body }) => isMembership(body))) return;
    this.entries.spend(size / floodLimits.governingPerEntry);
    this.asks.spend(size / floodLimits.governingPerPage);
  }

  /** A frame is dropped. True when there were too many in a row. */
  drop(): boolean {
    this.dropped += 1;
    return this.dropped > floodLimits.droppedFramesMost;
  }
}

/** The meters of all peers that have a link, or lately had one: after a while everything has been refilled. */
export class Meters {
  readonly #byKey = new Map<string, Meter>();

  /** For a link that begins. */
  take(key: string, now: number): Meter {
    for (const [other, { idleSince = now }] of this.#byKey)
      if (now - idleSince > floodLimits.rememberMs) this.#byKey.delete(other);
    const meter = this.#byKey.get(key) ?? new Meter(now);
    meter.idleSince = undefined;
    this.#byKey.set(key, meter);
    return meter;
  }
}

/** One link. */
export class PeerLink {
  /** Replaced only when the graph is built again. */
  author: Author;
  readonly #send: SendFrame;
  readonly meter: Meter;
  /** Keys the peer says it has links with. */
  announced: ReadonlySet<string> = new Set();
  /** Our other links whose peers and this one both announce a link with each other. */
  readonly neighbours = new Set<PeerLink>();
  /** Tips the peer claims and we lack. */
  readonly missing = new Map<EntryHash, Tip>();
  /** Chains not to be asked for, held back for their clock or one too many here, and until when (monotonic ms). */
  readonly heldBack = new Map<string, number>();
  /** Entries on the way to a missing tip that pages have shown us, where the usual locator named none near enough. */
  readonly onPath = new Map<EntryHash, Set<Node>>();
  /** Chains of the peer's own, of which it will be told that we have them. */
  readonly receipts = new Set<Segment>();
  /** Chains that we fetched in pages, of which it will be told how far we have them. */
  readonly news = new Set<Segment>();
  /** Version of our log that the peer was last told of in full. */
  toldVersion = -1;
  /** Monotonic ms of the next round of anti-entropy. */
  nextRoundAt = 0;
  /** No pages are asked for before this, monotonic ms. */
  pausedUntil = 0;
  /** The peer has pushed something that builds on what we lacked. */
  hasGap = false;
  /** The peer may have missed something that was left to another. */
  wasSpared = false;
  /** When a digest was last sent for one of these, monotonic ms. */
  comparedAt = Number.NEGATIVE_INFINITY;
  /** When the peer last brought something new, monotonic ms. */
  broughtAt = Number.NEGATIVE_INFINITY;
  emptyPages = 0;
  /** The request that could not be answered because the link was behind; only the last, as nobody asks twice at once. */
  owed: Extract<Frame, { type: "want" }> | undefined;
  /** The link did not take a frame and has not drained since. */
  behind = false;

  constructor(author: Author, send: SendFrame, meter: Meter) {
    this.author = author;
    this.#send = send;
    this.meter = meter;
  }

  get key(): string {
    return this.author.key;
  }

  /** Hands a frame to the link; false when it was dropped. */
  send(frame: Uint8Array): boolean {
    if (this.behind) return false;
    if (this.#send(frame)) return true;
    this.behind = true;
    return false;
  }

  /** Counts an unasked frame of so many bytes; what it is too much of, if it is. */
  flood(length: number, now: number): { readonly code: ReasonCode; readonly detail: string } | undefined {
    const { framesPerSecond, bytesPerSecond } = floodLimits;
    if (!this.meter.frames.take(1, now))
      return { code: "flood-frames", detail: `more than ${framesPerSecond} frames a second` };
    if (!this.meter.bytes.take(length, now))
      return { code: "flood-bytes", detail: `more than ${bytesPerSecond} bytes a second` };
    return undefined;
  }

  /** The graph was built again from the disk: what was noted of the old one no longer counts. */
  startOver(author: Author, pausedUntil: number): void {
    this.author = author;
    this.missing.clear();
    this.receipts.clear();
    this.news.clear();
    this.toldVersion = -1;
    this.pausedUntil = pausedUntil;
  }

  /** Whether the peer's clock differs so much, and so much more or less than was told before, that it is to be told. */
  isNewSkew(aheadMs: number, now: number): boolean {
    const { meter } = this;
    if (Math.abs(aheadMs) < skewToldMs || Math.abs(aheadMs - meter.skewTold) < skewToldMs) return false;
    // A clock that is set is told of; one that jumps about with each frame is nobody's clock.
    if (now - meter.skewToldAt < floodLimits.skewPauseMs) return false;
    meter.skewTold = aheadMs;
    meter.skewToldAt = now;
    return true;
  }

  /** When the next round of anti-entropy is due, given chance in [0, 1). */
  scheduleRound(now: number, unit: number): void {
    this.nextRoundAt = now + syncLimits.antiEntropyMs - unit * syncLimits.antiEntropyJitterMs;
  }
}
