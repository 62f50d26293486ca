/**
 * One member of one mesh: the state machine that api.ts describes.
 *
 * This file connects the parts: log.ts decides what is valid, sync.ts finds out what is missing, spread.ts passes on
 * what is new, membership.ts and timelines.ts say what it all means. New entries go into the graph, into the store,
 * then to the other links and to the screen, in this order. So nothing is passed on or shown that a crash could take
 * back, and no number is ever used for two of our own entries, also if the machine itself dies.
 */
import { publicKeyOf } from "../../identity/peer-id.ts";
import { floodLimits, syncLimits } from "../../protocol/limits.mesh.ts";
import type * as api from "./api.ts";
import type { PeerId } from "./api.ts";
import { FormatError, toHex } from "./bytes.ts";
import { plainCodec, type Codec } from "./codec.ts";
import { Faults } from "./faults.ts";
import { pageOf, type Frame } from "./frames.ts";
import { Meters, PeerLink } from "./link.ts";
import type { Accepted, Batch } from "./log.ts";
import { OwnChain } from "./own-chain.ts";
import { reasons, refusal, type ReasonCode } from "./reasons.ts";
import { describeMembers } from "./roster.ts";
import { MeshSeals } from "./secrets.ts";
import { Spread } from "./spread.ts";
import { MeshState, type Noticed, type StateParts } from "./state.ts";
import { StoreError } from "./store-error.ts";
import { Sync } from "./sync.ts";
import { Writer, type Written } from "./writer.ts";

const tooManyEntries = `more than ${floodLimits.entriesPerSecond} entries a second`;

/** See api.ts. */
export class MeshCore implements api.MeshCoreApi {
  readonly meshId: Uint8Array;
  readonly self: PeerId;
  readonly #options: api.MeshCoreOptions;
  readonly #key: string;
  readonly #codec: Codec;
  readonly #stateParts: StateParts;
  /** By key, hex. */
  readonly #links = new Map<string, PeerLink>();
  /** The same links by peer ID, because frames come by that name and decoding it costs more than a lookup. */
  readonly #linksById = new Map<PeerId, PeerLink>();
  readonly #faults = new Faults();
  readonly #meters = new Meters();
  readonly #sync: Sync;
  readonly #spread: Spread;
  readonly #writer: Writer;
  #state: MeshState;
  #holdingsDirty = false;
  #grantsDue = true;
  /** The store refused what came: until then, monotonic ms, what comes is left to be fetched. A refusal costs a new state. */
  #refusedUntil = Number.NEGATIVE_INFINITY;
  /** The store refused a write and could then not be read: nothing is taken or sent any more. */
  #isBroken = false;

  /** @throws StoreError when the store cannot be read or is damaged */
  constructor(options: api.MeshCoreOptions) {
    const { meshId, signer, store, clock, random } = options;
    this.#options = options;
    this.meshId = meshId;
    this.self = signer.peerId;
    this.#key = toHex(signer.publicKey);
    this.#codec = options.codec ?? plainCodec(options.verify);
    const seals = new MeshSeals(meshId, signer.publicKey, options.sealer);
    const [now, state] = [() => clock.now(), () => this.#state];
    this.#stateParts = { meshId, self: this.#key, codec: this.#codec, seals, store, now };
    this.#state = new MeshState(this.#stateParts);
    const own = new OwnChain(this.#key, store, random);
    this.#writer = new Writer({ meshId, signer, seals, random, own, state, now });
    const shared = {
      links: this.#links,
      graph: () => this.#state.log.graph,
      monotonic: () => clock.monotonic(),
    };
    this.#sync = new Sync({
      ...shared,
      random,
      now,
      isWaiting: () => this.#state.log.waiting.size > 0,
      isMissed: (hash) => this.#state.log.waiting.isMissed(hash),
      bytesOf: (hash) => store.get(hash)?.bytes,
      fault: (link, code, detail) => this.#fault(link.author.peerId, code, detail),
      holdsMore: () => {
        this.#holdingsDirty = true;
      },
    });
    this.#spread = new Spread({ ...shared, spared: (link) => this.#sync.onSpared(link) });
  }

  found(name: string, nonce: Uint8Array): api.Published {
    return this.#write(this.#writer.found(name, nonce));
  }

  admit(peerId: PeerId): api.Published {
    return this.#write(this.#writer.admit(peerId));
  }

  appoint(peerId: PeerId): api.Published {
    return this.#write(this.#writer.appoint(peerId));
  }

  remove(peerId: PeerId): api.Published {
    return this.#write(this.#writer.remove(peerId));
  }

  publish(draft: api.Draft): api.Published {
    return this.#write(this.#writer.draft(draft));
  }

  standing(peerId: PeerId): api.Standing {
    return this.#state.membership.standing(toHex(publicKeyOf(peerId)));
  }

  linkUp(peerId: PeerId, send: api.SendFrame): { readonly ok: true } | api.Refused {
    const key = toHex(publicKeyOf(peerId));
    if (key === this.#key) return refusal("own-key", "the link leads to this device itself");
    const standing = this.#state.membership.standing(key);
    if (standing === "removed") return refusal("removed-member", `${peerId} was removed from this mesh`);
    if (standing === "unknown") return refusal("not-a-member", `${peerId} is not a member of this mesh`);
    this.linkDown(peerId);
    const meter = this.#meters.take(key, this.#options.clock.monotonic());
    const link = new PeerLink(this.#state.log.graph.author(key), send, meter);
    this.#links.set(key, link);
    this.#linksById.set(peerId, link);
    this.#spread.linksChanged();
    if (this.#flush()) this.#sync.start(link);
    this.#options.listener.membersChanged([peerId]);
    return { ok: true };
  }

  linkDown(peerId: PeerId): void {
    const link = this.#linksById.get(peerId);
    if (link === undefined) return;
    this.#links.delete(link.key);
    this.#linksById.delete(peerId);
    link.meter.idleSince = this.#options.clock.monotonic();
    this.#spread.forget(link);
    this.#sync.stop(link);
    const seen = [...link.announced].map((other) => this.#state.log.graph.authors.get(other)?.peerId ?? []);
    this.#options.listener.membersChanged([peerId, ...seen.flat()]);
  }

  linkDrained(peerId: PeerId): void {
    const link = this.#linksById.get(peerId);
    if (link?.behind !== true) return;
    link.behind = false;
    this.#spread.linksChanged();
    if (this.#flush()) this.#survive(() => this.#sync.resume(link));
  }

  receive(peerId: PeerId, bytes: Uint8Array): void {
    this.#survive(() => this.#receive(peerId, bytes));
  }

  tick(): void {
    this.#survive(() => this.#tick());
  }

  foundedAt(): number | undefined {
    return this.#state.membership.foundedAt;
  }

  meshName(): string | undefined {
    return this.#state.membership.name;
  }

  members(): readonly api.Member[] {
    const { membership, timelines } = this.#state;
    return describeMembers({ self: this.#key, membership, timelines, links: this.#links });
  }

  member(peerId: PeerId): api.Member | undefined {
    return this.members().find((member) => member.peerId === peerId);
  }

  links(): readonly PeerId[] {
    return [...this.#links.values()].map((link) => link.author.peerId);
  }

  rooms() {
    return this.#state.timelines.rooms();
  }

  conversations(): readonly PeerId[] {
    return this.#state.timelines.conversations();
  }

  timeline(place: api.Place, limit: number, before?: number): readonly api.TimelineItem[] {
    return this.#state.timelines.slice(place, limit, before);
  }

  count(place: api.Place): number {
    return this.#state.timelines.count(place);
  }

  holding(hash: api.EntryHash): api.Holding | undefined {
    return this.#state.holding(hash);
  }

  secrets(): readonly api.MeshSecret[] {
    return this.#state.membership.secrets();
  }

  faults(peerId: PeerId): readonly api.Fault[] {
    return this.#faults.of(peerId);
  }

  order(): readonly api.EntryHash[] {
    return this.#state.log.graph.ordered().map((node) => node.hash);
  }

  #receive(peerId: PeerId, bytes: Uint8Array): void {
    const link = this.#linksById.get(peerId);
    if (link === undefined) return;
    if (bytes.length > syncLimits.frameBytes)
      return this.#fault(peerId, "frame-too-large", `it has ${bytes.length} bytes`);
    const isExpected = this.#sync.isExpected(link, pageOf(bytes));
    const flood = isExpected ? undefined : link.flood(bytes.length, this.#options.clock.monotonic());
    if (flood !== undefined)
      return this.#fault(peerId, link.meter.drop() ? "flood" : flood.code, flood.detail);
    let frame: Frame | undefined;
    try {
      frame = this.#codec.frame(bytes);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return this.#fault(peerId, "bad-frame", error.message);
    }
    if (frame === undefined) this.#fault(peerId, "unknown-frame", `type ${bytes[0]}`);
    else this.#handle(link, frame, isExpected);
  }

  #tick(): void {
    this.#state.tick(this.#options.clock.monotonic());
    if ((this.#sync.isDue || this.#spread.isDue) && !this.#flush()) return;
    this.#sync.tick();
    this.#spread.tick();
    if (this.#grantsDue) {
      this.#grantsDue = false;
      for (const key of this.#state.membership.ungranted()) this.#write(this.#writer.grant(key));
    }
    if (this.#holdingsDirty) {
      this.#holdingsDirty = false;
      this.#options.listener.holdingsChanged();
    }
  }

  #handle(link: PeerLink, frame: Frame, isExpected: boolean): void {
    const { clock, listener } = this.#options;
    switch (frame.type) {
      case "digest":
        if (link.isNewSkew(frame.now - clock.now(), clock.monotonic()))
          listener.clockSkew(link.author.peerId, frame.now - clock.now());
        if (this.#flush()) this.#sync.onDigest(link, frame.digest);
        return;
      case "have":
        if (this.#flush()) this.#sync.onHave(link, frame);
        return;
      case "want":
        this.#sync.onWant(link, frame);
        return;
      case "links":
        this.#tellMembers(this.#spread.onLinks(link, frame.keys));
        return;
      case "entries":
        this.#takeEntries(link, frame.entries, isExpected);
    }
  }

  /** Runs a step; a store that cannot be read ends the step and not the process. */
  #survive(step: () => void): void {
    if (this.#isBroken) return;
    try {
      step();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#options.listener.storeFailed(error.message);
    }
  }

  #takeEntries(link: PeerLink, entries: readonly Uint8Array[], isExpected: boolean): void {
    const now = this.#options.clock.monotonic();
    if (now < this.#refusedUntil) return;
    if (!isExpected && !link.meter.entries.take(entries.length, now))
      return this.#fault(link.author.peerId, link.meter.drop() ? "flood" : "flood-entries", tooManyEntries);
    link.meter.dropped = 0;
    const batch: Batch = { accepted: [], complaints: [] };
    const verdicts = entries.map((bytes) => this.#state.log.offer(bytes, link.key, batch));
    const isSaved = this.#commit(batch.accepted, isExpected);
    for (const { origin, code, detail } of batch.complaints) {
      if (origin !== undefined) this.#fault(this.#state.log.graph.author(origin).peerId, code, detail);
    }
    link.meter.charge(batch.accepted, this.#state.membership);
    if (!isSaved) this.#refusedUntil = now + syncLimits.antiEntropyMs;
    if (this.#links.get(link.key) !== link || !isSaved) return;
    if (isExpected) this.#sync.onPage(link, verdicts);
    else if (verdicts.some(({ status }) => status === "waiting")) this.#sync.onGap(link);
  }

  #write(written: Written): api.Published {
    if (!written.ok) return written;
    if (this.#isBroken) return refusal("store-failed", "the store cannot be read; start again once it can");
    const { entry, body } = written;
    if (this.#commit([this.#state.log.add(entry, body)], false)) {
      this.#state.wrote(this.#options.clock.monotonic());
      return { ok: true, hash: entry.hash };
    }
    return refusal("store-failed", "the entry could not be stored, so it was not sent; see the log for why");
  }

  /** Stores entries of the graph, then tells everybody. False when the store refused; the graph is then as before. */
  #commit(accepted: readonly Accepted[], isPage: boolean): boolean {
    if (accepted.length === 0) return true;
    const now = this.#options.clock.now();
    try {
      this.#state.save(accepted, now, this.#links.size > 0);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#goBackToDisk(error);
      return false;
    }
    // Others first: they have the longer way.
    this.#spread.push(accepted, isPage);
    const noticed = this.#state.note(accepted, now);
    for (const { fork, node } of accepted) {
      const { author } = node.segment;
      if (fork) this.#options.listener.forked(author.peerId, author.key === this.#key);
    }
    this.#announce(noticed);
    return true;
  }

  #announce({ changes, members, secret }: Noticed): void {
    const { listener } = this.#options;
    const insertions = changes.flatMap((change) => (change.kind === "line" ? change.insertion : []));
    const said = changes.flatMap((change) => (change.kind === "member" ? change.key : []));
    if (insertions.length > 0) listener.inserted(insertions);
    for (const change of changes)
      if (change.kind === "topic") listener.topicChanged(change.room, change.topic);
    this.#tellMembers([...members, ...said]);
    if (members.length > 0) this.#grantsDue = true;
    if (secret !== undefined) listener.secretChanged(secret);
    for (const key of members) {
      const link = this.#links.get(key);
      const standing = this.#state.membership.standing(key);
      if (link === undefined || standing === "member") continue;
      // Unknown again: whoever admitted it had been removed before.
      const code = standing === "removed" ? "removed-member" : "not-a-member";
      this.#fault(link.author.peerId, code, "the log says so");
    }
  }

  #tellMembers(keys: readonly string[]): void {
    const { authors } = this.#state.log.graph;
    const peerIds = [...new Set(keys)].flatMap((key) => authors.get(key)?.peerId ?? []);
    if (peerIds.length > 0) this.#options.listener.membersChanged(peerIds);
  }

  /**
   * Before peers are told what is here. False when the store cannot promise it; when it never will, because after a
   * failed sync nobody knows what is on the disk, they are told nothing any more.
   */
  #flush(): boolean {
    try {
      return !this.#isBroken && this.#state.flush();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#giveUp(error);
      return false;
    }
  }

  #giveUp(error: StoreError): void {
    this.#isBroken = true;
    for (const peerId of this.#linksById.keys()) this.linkDown(peerId);
    this.#options.listener.storeFailed(error.message);
  }

  #goBackToDisk(error: StoreError): void {
    this.#options.listener.storeFailed(error.message);
    try {
      this.#state = new MeshState(this.#stateParts);
    } catch (second) {
      if (!(second instanceof StoreError)) throw second;
      this.#giveUp(second);
      return;
    }
    this.#sync.abandon();
    const now = this.#options.clock.monotonic();
    // Whatever filled the disk, asking for the same entries at once would only refuse them again.
    for (const link of this.#links.values())
      link.startOver(this.#state.log.graph.author(link.key), now + syncLimits.antiEntropyMs);
  }

  #fault(peerId: PeerId, code: ReasonCode, detail: string): void {
    const fault = this.#faults.note(peerId, code, detail, this.#options.clock.now());
    const close = reasons[code].fate === "close" && this.#linksById.has(peerId);
    if (close) this.linkDown(peerId);
    this.#options.listener.fault(fault, close);
  }
}
