/**
 * Anti-entropy: two peers on a link find out what one lacks and fetch it in pages.
 *
 * Each says a digest of its log at connect and every 30 s. When the digests differ they exchange their tips (the end of
 * every chain and branch), and each asks for what it lacks, one page at a time, from one peer at a time: so a peer that
 * comes back to a mesh of fifty fetches its gap once and not 49 times. The answering side sends a page in the mesh's total
 * order, in which nothing comes before what it builds on, so pages need no sorting room on the other side.
 *
 * A wish names a tip and a few entries that we have of its chain (a locator, with gaps that grow four-fold), so that the
 * other side finds where the two part even when the author has forked. Where it finds only a place far back, the page
 * starts with entries that we have; the last of them is named in the next wish, which so gets nearer.
 */
import { floodLimits, logLimits, syncLimits } from "../../protocol/limits.mesh.ts";
import type { CoreRandom, EntryHash } from "./api.ts";
import { viewOf } from "./bytes.ts";
import type { Entry } from "./entry.ts";
import {
  encodeDigest,
  encodeEntries,
  encodeHaves,
  encodeWant,
  type Frame,
  type Tip,
  type Wish,
} from "./frames.ts";
import { lastOf, markHeld, samples, type Graph, type Node, type Segment } from "./graph.ts";
import type { PeerLink } from "./link.ts";
import { pageOrder } from "./page-order.ts";
import type { Verdict } from "./log.ts";
import type { ReasonCode } from "./reasons.ts";

/** What sync needs of the core around it. */
export interface SyncHost {
  readonly links: ReadonlyMap<string, PeerLink>;
  readonly random: CoreRandom;
  graph(): Graph;
  /** Some entries wait for what they build on. */
  isWaiting(): boolean;
  /** Some entry waits for this one. */
  isMissed(hash: EntryHash): boolean;
  /** Bytes of an entry in the log. */
  bytesOf(hash: EntryHash): Uint8Array | undefined;
  /** Wall clock, ms. */
  now(): number;
  /** Monotonic, ms. */
  monotonic(): number;
  fault(link: PeerLink, code: ReasonCode, detail: string): void;
  /** A peer is now known to hold more. */
  holdsMore(): void;
}

/** The one page that is on its way to us. */
interface Pull {
  readonly link: PeerLink;
  readonly page: number;
  /** When it was asked for, monotonic ms. */
  readonly askedAt: number;
  readonly tips: readonly EntryHash[];
}

/** Sync over all links of one core. */
export class Sync {
  readonly #host: SyncHost;
  #pull: Pull | undefined;
  #pages = 0;
  /** Key of the peer asked last: the next question goes to the one after it. */
  #lastAsked = "";

  constructor(host: SyncHost) {
    this.#host = host;
  }

  /** First round on a new or recovered link. */
  start(link: PeerLink): void {
    link.scheduleRound(this.#host.monotonic(), this.#host.random.unit());
    link.send(encodeDigest(this.#host.now(), this.#host.graph().digest()));
  }

  /** Forgets a link. */
  stop(link: PeerLink): void {
    if (this.#pull?.link !== link) return;
    this.#pullEnds();
    this.ask();
  }

  /** Forgets the page that is on its way: it could not be stored, which is not its sender's fault. */
  abandon(): void {
    this.#pullEnds();
  }

  /** Nothing is on its way any more. */
  #pullEnds(): void {
    if (this.#pull === undefined) return;
    const { link, askedAt } = this.#pull;
    const now = this.#host.monotonic();
    const late = now - askedAt - syncLimits.promptMs;
    if (late > 0) link.meter.restsUntil = now + late * syncLimits.restFactor;
    this.#pull = undefined;
  }

  /** True when `page` on this link is the one asked for. */
  isExpected(link: PeerLink, page: number): boolean {
    return page !== 0 && this.#pull?.page === page && this.#pull.link === link;
  }

  /** The next {@link tick} may tell peers what is here. */
  get isDue(): boolean {
    const now = this.#host.monotonic();
    for (const { nextRoundAt, wasSpared, hasGap } of this.#host.links.values())
      if (now >= nextRoundAt || wasSpared || hasGap) return true;
    return false;
  }

  /** Rounds and time-outs that are due. */
  tick(): void {
    const now = this.#host.monotonic();
    if (this.#pull !== undefined && now >= this.#pull.askedAt + syncLimits.pageMs) {
      const { link } = this.#pull;
      this.#pullEnds();
      link.pausedUntil = now + syncLimits.antiEntropyMs;
      this.#host.fault(link, "page-timeout", `no answer within ${syncLimits.pageMs} ms`);
    }
    for (const link of this.#host.links.values()) if (now >= link.nextRoundAt) this.start(link);
    this.ask();
  }

  onDigest(link: PeerLink, digest: Uint8Array): void {
    const graph = this.#host.graph();
    if (viewOf(digest).equals(graph.digest())) {
      link.missing.clear();
      link.author.holds.clear();
      for (const tip of graph.tips) markHeld(link.author, lastOf(tip));
      this.#host.holdsMore();
      return;
    }
    this.#sendHave(link, true);
  }

  onHave(link: PeerLink, frame: Extract<Frame, { type: "have" }>): void {
    const graph = this.#host.graph();
    const { holds } = link.author;
    const before = frame.full ? new Map(holds) : holds;
    if (frame.full) {
      link.missing.clear();
      holds.clear();
    }
    for (const tip of frame.tips) {
      const node = graph.nodes.get(tip.hash);
      if (node !== undefined) {
        markHeld(link.author, node);
        continue;
      }
      if (link.missing.size < syncLimits.missingMost) link.missing.set(tip.hash, tip);
      // The chain has gone on since; what the peer was known to hold of it, it still holds.
      for (const segment of graph.authors.get(tip.author)?.segments ?? []) {
        const sequence = before.get(segment) ?? tip.sequence;
        if (segment.chain === tip.chain && sequence < tip.sequence) holds.set(segment, sequence);
      }
    }
    this.#host.holdsMore();
    if (frame.answer && link.toldVersion !== graph.nodes.size) this.#sendHave(link, false);
    this.ask();
  }

  /** A pushed entry builds on something we lack: its sender has it. */
  onGap(link: PeerLink): void {
    link.hasGap = true;
    this.ask();
  }

  /** The peer may have missed something that we did not send it because another would. */
  onSpared(link: PeerLink): void {
    link.wasSpared = true;
    this.ask();
  }

  /** Answers a request with one page, possibly empty. */
  onWant(link: PeerLink, frame: Extract<Frame, { type: "want" }>): void {
    if (!link.meter.pages.take(1, this.#host.monotonic())) {
      const { pagesPerSecond } = floodLimits;
      this.#host.fault(link, "flood-pages", `more than ${pagesPerSecond} pages a second`);
      return;
    }
    this.#answer(link, frame);
  }

  /** The link takes frames again: answers what is owed, and finds out what else was missed. */
  resume(link: PeerLink): void {
    const { owed } = link;
    link.owed = undefined;
    if (owed !== undefined) this.#answer(link, owed);
    this.start(link);
  }

  /** The page that was asked for has been offered to the log, with these verdicts. Asks on. */
  onPage(link: PeerLink, verdicts: readonly Verdict[]): void {
    const tips = this.#pull?.tips ?? [];
    this.#pullEnds();
    const nearer = this.#noteOnPath(link, verdicts);
    this.#settle(link);
    const { nodes } = this.#host.graph();
    let progress = nearer || tips.some((tip) => nodes.has(tip));
    for (const verdict of verdicts) {
      if (verdict.status === "accepted") progress = true;
      else if (verdict.status === "held") progress = this.#holdBack(link, verdict.entry) || progress;
      else if (verdict.status === "excess") progress = this.#passOver(link, verdict.entry) || progress;
    }
    if (progress) link.emptyPages = 0;
    else this.#distrust(link);
    this.ask();
  }

  /** Asks for the next page, if something is missing, nothing is on its way and somebody can be asked. */
  ask(): void {
    if (this.#pull !== undefined) return;
    const { links } = this.#host;
    for (const { missing } of links.values()) {
      if (missing.size === 0) continue;
      if (this.#askInTurn()) return;
      break;
    }
    for (const link of links.values()) this.#compareIfDue(link);
  }

  /**
   * In turn, so that a long log is asked of everybody who has it. Only who was late comes after the others for a while, so
   * that one who answers as late as it may takes a share of the time.
   */
  #askInTurn(): boolean {
    const links = [...this.#host.links.values()];
    const start = links.findIndex((link) => link.key === this.#lastAsked) + 1;
    const inTurn = [...links.slice(start), ...links.slice(0, start)];
    const now = this.#host.monotonic();
    const restMs = ({ meter }: PeerLink) => Math.max(meter.restsUntil - now, 0);
    inTurn.sort((a, b) => restMs(a) - restMs(b));
    return inTurn.some((link) => this.#askOf(link, now));
  }

  /** A digest brings two together who have a reason to differ; at most once a second, and not while a page may do it. */
  #compareIfDue(link: PeerLink): void {
    const isDue = link.wasSpared || (link.hasGap && this.#host.isWaiting());
    if (!isDue) return;
    const now = this.#host.monotonic();
    if (now < link.comparedAt + syncLimits.gapMs) return;
    link.wasSpared = false;
    link.hasGap = false;
    link.comparedAt = now;
    this.start(link);
  }

  #answer(link: PeerLink, frame: Extract<Frame, { type: "want" }>): void {
    const entries: Uint8Array[] = [];
    let bytes = 0;
    for (const node of pageOrder(this.#host.graph(), frame.wishes)) {
      const entry = this.#host.bytesOf(node.hash);
      if (entry === undefined) continue;
      entries.push(entry);
      bytes += entry.length;
      if (entries.length === syncLimits.entriesPerFrame || bytes >= syncLimits.pageBytes) break;
    }
    link.owed = link.send(encodeEntries(frame.page, entries)) ? undefined : frame;
  }

  #askOf(link: PeerLink, now: number): boolean {
    if (link.missing.size === 0 || link.behind || now < link.pausedUntil) return false;
    this.#settle(link);
    const tips = [...link.missing.values()]
      .filter((tip) => (link.heldBack.get(chainOf(tip)) ?? 0) <= now)
      .slice(0, logLimits.tipsMost);
    const most = Math.min(syncLimits.locatorMost, Math.floor(syncLimits.locatorsMost / tips.length));
    const wishes = tips.map((tip): Wish => ({
      tip: tip.hash,
      locator: this.#locator(link, tip).slice(0, most),
    }));
    if (wishes.length === 0 || !link.meter.asks.take(1, now)) return false;
    this.#pages = (this.#pages % 0xffff_ffff) + 1;
    if (!link.send(encodeWant(this.#pages, wishes))) return false;
    this.#lastAsked = link.key;
    this.#pull = {
      link,
      page: this.#pages,
      askedAt: now,
      tips: tips.map(({ hash }) => hash),
    };
    return true;
  }

  /** Entries we have of a tip's chain: the end of each branch, the longest first, then further and further back. */
  #locator(link: PeerLink, tip: Tip): EntryHash[] {
    const segments = this.#host.graph().authors.get(tip.author)?.segments ?? [];
    const ends = segments.filter(({ chain }) => chain === tip.chain).map(lastOf);
    ends.sort((a, b) => b.sequence - a.sequence);
    const shown = [...(link.onPath.get(tip.hash) ?? [])].reverse();
    const back = ends.flatMap((end) => [...samples(end)]);
    return [...new Set([...ends.slice(0, 1), ...shown, ...ends, ...back].map(({ hash }) => hash))];
  }

  /** Entries of a page that we had already are on the way to the tips asked for. True when that is news. */
  #noteOnPath(link: PeerLink, verdicts: readonly Verdict[]): boolean {
    const lastShown = new Map<Segment, Node>();
    for (const verdict of verdicts)
      if (verdict.status === "known") lastShown.set(verdict.node.segment, verdict.node);
    let isNews = false;
    // What is no longer claimed: else somebody who claims something else each time would fill the memory.
    for (const hash of link.onPath.keys()) if (!link.missing.has(hash)) link.onPath.delete(hash);
    for (const { chain, author, hash } of lastShown.size === 0 ? [] : link.missing.values()) {
      const shown = link.onPath.get(hash) ?? new Set();
      const before = shown.size;
      for (const [segment, node] of lastShown)
        if (segment.chain === chain && segment.author.key === author) shown.add(node);
      link.onPath.set(hash, shown);
      isNews ||= shown.size > before;
      for (const oldest of shown) if (shown.size > syncLimits.locatorMost) shown.delete(oldest);
    }
    return isNews;
  }

  #sendHave(link: PeerLink, answer: boolean): void {
    const graph = this.#host.graph();
    const tips: Tip[] = [];
    for (const segment of graph.tips) tips.push(tipOf(segment));
    if (encodeHaves(true, answer, tips).every((frame) => link.send(frame)))
      link.toldVersion = graph.nodes.size;
  }

  /** Crosses off what has come meanwhile. */
  #settle(link: PeerLink): void {
    const { nodes } = this.#host.graph();
    for (const hash of link.missing.keys()) {
      const node = nodes.get(hash);
      if (node === undefined) continue;
      link.missing.delete(hash);
      markHeld(link.author, node);
      this.#host.holdsMore();
    }
    if (link.missing.size === 0) link.onPath.clear();
  }

  /** Not to be asked for before its clock is near enough. True when that is news. */
  #holdBack(link: PeerLink, entry: Entry): boolean {
    const early = Math.ceil(entry.clock / 1000) - logLimits.clockAheadMs - this.#host.now();
    return this.#hold(
      link,
      chainOf(entry),
      Math.min(Math.max(early, syncLimits.gapMs), syncLimits.disbeliefMs),
    );
  }

  #hold(link: PeerLink, chain: string, ms: number): boolean {
    const now = this.#host.monotonic();
    // The first that is held, of a page that has more of its chain.
    if ((link.heldBack.get(chain) ?? 0) > now) return false;
    if (link.heldBack.size >= logLimits.tipsMost) link.heldBack.clear();
    link.heldBack.set(chain, now + ms);
    return true;
  }

  /** Not to be asked for in a while, unless something waits for it: then it is taken the next time. */
  #passOver(link: PeerLink, entry: Entry): boolean {
    return this.#host.isMissed(entry.hash) || this.#hold(link, chainOf(entry), syncLimits.antiEntropyMs);
  }

  #distrust(link: PeerLink): void {
    link.emptyPages += 1;
    const now = this.#host.monotonic();
    if (link.emptyPages < syncLimits.emptyPagesMost) {
      link.pausedUntil = now + syncLimits.pageMs;
      return;
    }
    link.emptyPages = 0;
    link.pausedUntil = now + syncLimits.disbeliefMs;
    this.#host.fault(link, "empty-promise", `${link.missing.size} chains claimed, nothing of them came`);
  }
}

/** Tip of a segment, for the wire. */
export function tipOf(segment: Segment): Tip {
  const { hash, sequence } = lastOf(segment);
  return { author: segment.author.key, chain: segment.chain, sequence, hash };
}

function chainOf(of: { author: string; chain: string }): string {
  return of.author + of.chain;
}
