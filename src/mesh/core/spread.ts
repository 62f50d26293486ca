/**
 * Passing new entries on, and telling neighbours what they need to know for that.
 *
 * Every entry is passed on once, by each peer, when it first sees it: entries already known go nowhere, so no frame can
 * circle. In a full mesh that would still bring each entry to everybody from everybody. So each peer announces its links,
 * and an entry is not passed to a peer that has a link with the one it came from: both ends must have announced that link,
 * so one liar cannot cut somebody off. When an announced link ends, a digest goes to the peer that was lately spared on its
 * account, since what was under way on that link may be lost.
 *
 * What was fetched in pages is not pushed: after a partition everybody fetches the same, and pushing it would bring
 * everything to everybody from everybody. Neighbours are told how far we have got instead, and ask for what they lack.
 *
 * Who gets an author's entry tells the author so (a receipt), if the two are linked; that is what "held by n of m" shows.
 */
import { syncLimits } from "../../protocol/limits.mesh.ts";
import { encodeHaves, encodeLinks, encodePushes, linksMost } from "./frames.ts";
import { isHeld, lastOf, type Graph, type Segment } from "./graph.ts";
import type { PeerLink } from "./link.ts";
import type { Accepted } from "./log.ts";
import { tipOf } from "./sync.ts";

/** What spreading needs of the core around it. */
export interface SpreadHost {
  readonly links: ReadonlyMap<string, PeerLink>;
  graph(): Graph;
  /** Monotonic, ms. */
  monotonic(): number;
  /** The peer may have missed something that was left to another peer. */
  spared(link: PeerLink): void;
}

/** Spreading over all links of one core. */
export class Spread {
  readonly #host: SpreadHost;
  #receiptsAt = Number.POSITIVE_INFINITY;
  #newsAt = Number.POSITIVE_INFINITY;
  #linksAt = Number.POSITIVE_INFINITY;
  /** Who is passed what came by a link (undefined: our own): with many links most are spared, and few are left. */
  readonly #targets = new Map<PeerLink | undefined, readonly PeerLink[]>();

  constructor(host: SpreadHost) {
    this.#host = host;
  }

  /**
   * Passes on entries that are in the log and in the store, and remembers to send receipts.
   * @param isPage they came by a page that we had asked for
   */
  push(accepted: readonly Accepted[], isPage: boolean): void {
    const sources = accepted.map(({ origin }) =>
      origin === undefined ? undefined : this.#host.links.get(origin),
    );
    const now = this.#host.monotonic();
    for (const source of sources) if (source !== undefined) source.broughtAt = now;
    let toAll: Uint8Array[] | undefined;
    const isOneSource = sources.every((source) => source === sources[0]);
    for (const link of isOneSource ? this.#targetsOf(sources[0]) : this.#host.links.values()) {
      if (link.behind) continue;
      const wanted = accepted.filter((one, i) => isWanted(link, one, sources[i]));
      if (wanted.length === 0) continue;
      if (isPage) {
        for (const { node } of wanted) link.news.add(node.segment);
        this.#newsAt = Math.min(this.#newsAt, now + syncLimits.newsMs);
        continue;
      }
      const isAll = wanted.length === accepted.length;
      const frames = (isAll ? toAll : undefined) ?? encodePushes(wanted.map(({ entry }) => entry.bytes));
      if (isAll) toAll = frames;
      for (const frame of frames) link.send(frame);
    }
    for (const { entry, node, origin } of accepted) {
      const author = origin === undefined ? undefined : this.#host.links.get(entry.author);
      if (author === undefined) continue;
      author.receipts.add(node.segment);
      this.#receiptsAt = Math.min(this.#receiptsAt, now + syncLimits.receiptMs);
    }
  }

  /** Own links have changed; tell the neighbours soon. */
  linksChanged(): void {
    this.#targets.clear();
    this.#linksAt = Math.min(this.#linksAt, this.#host.monotonic() + syncLimits.linksMs);
  }

  /** A link has ended, and is no longer among the links. */
  forget(link: PeerLink): void {
    for (const other of link.neighbours) separate(link, other);
    this.linksChanged();
  }

  /** A neighbour's list of links. Returns the keys whose presence may have changed. */
  onLinks(link: PeerLink, keys: readonly string[]): string[] {
    const before = link.announced;
    const after = new Set(keys);
    link.announced = after;
    this.#targets.clear();
    for (const other of this.#host.links.values()) {
      if (after.has(other.key) && other.announced.has(link.key)) {
        link.neighbours.add(other);
        other.neighbours.add(link);
      } else separate(link, other);
    }
    if (this.#host.monotonic() - link.broughtAt < syncLimits.sparedMs) {
      for (const key of before) {
        const spared = after.has(key) ? undefined : this.#host.links.get(key);
        if (spared !== undefined) this.#host.spared(spared);
      }
    }
    return [...before, ...after].filter((key) => before.has(key) !== after.has(key));
  }

  #targetsOf(source: PeerLink | undefined): readonly PeerLink[] {
    let targets = this.#targets.get(source);
    if (targets === undefined) {
      targets = [...this.#host.links.values()].filter((link) => isTarget(link, source));
      this.#targets.set(source, targets);
    }
    return targets;
  }

  /** The next {@link tick} tells peers something. */
  get isDue(): boolean {
    return this.#host.monotonic() >= Math.min(this.#linksAt, this.#receiptsAt, this.#newsAt);
  }

  tick(): void {
    const now = this.#host.monotonic();
    const links = [...this.#host.links.values()];
    if (now >= this.#linksAt) {
      this.#linksAt = Number.POSITIVE_INFINITY;
      // Who has more is not honest, or meets somebody who is not: whoever is left out only gets things twice.
      const frame = encodeLinks(links.slice(0, linksMost).map((link) => link.key));
      for (const link of links) link.send(frame);
    }
    if (now >= this.#receiptsAt) {
      this.#receiptsAt = Number.POSITIVE_INFINITY;
      for (const link of links) {
        if (link.receipts.size > 0) tell(link, [...link.receipts]);
        link.receipts.clear();
      }
    }
    if (now >= this.#newsAt) {
      this.#newsAt = Number.POSITIVE_INFINITY;
      for (const link of links) {
        // Most have fetched the same meanwhile, and said so.
        const news = [...link.news].filter((segment) => !isHeld(link.author, lastOf(segment)));
        if (news.length > 0) tell(link, news);
        link.news.clear();
      }
    }
  }
}

/** Tells a peer how far we have these chains. */
function tell(link: PeerLink, segments: readonly Segment[]): void {
  for (const frame of encodeHaves(false, false, segments.map(tipOf))) link.send(frame);
}

function separate(a: PeerLink, b: PeerLink): void {
  a.neighbours.delete(b);
  b.neighbours.delete(a);
}

/** What `source` brought is left to `source` where it has a link with `link` too. */
function isTarget(link: PeerLink, source: PeerLink | undefined): boolean {
  return source !== link && source?.neighbours.has(link) !== true;
}

/** `source` is the link the entry came from; undefined for our own, or when that link has ended. */
function isWanted(link: PeerLink, { entry, node }: Accepted, source: PeerLink | undefined): boolean {
  if (node.segment.author === link.author || !isTarget(link, source)) return false;
  return link.missing.size === 0 || !link.missing.has(entry.hash);
}
