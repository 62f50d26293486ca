/**
 * One direct path: a private mesh with one other person, over whatever way there is.
 *
 * The node dials the other's addresses and listens; the relay steps in while there is no link, and the node drops it for a
 * direct one. What is written goes into the mesh's log at once, in memory, so that it reaches the other over any later way
 * as well. The server's conversation and this one are shown in one place, `@nick`: messages that come this way are numbered
 * between the server's, with fractions.
 */
import type { ClientListener } from "../../../client/events.ts";
import type { Taken } from "../../../client/sender.ts";
import type { PeerId } from "../../../identity/peer-id.ts";
import type { EntryHash, TimelineItem } from "../../../mesh/core/api.ts";
import type { Interfaces, Path } from "../../../mesh/node/addresses.ts";
import type { NodeEvent } from "../../../mesh/node/events.ts";
import { MeshNode } from "../../../mesh/node/node.ts";
import { MemoryHome, MemoryMeshes } from "../../../mesh/node/private-pair.ts";
import type { Why } from "../../../mesh/node/views.ts";
import type { RelayPace } from "../../../mesh/relay/pace.ts";
import type { FileExchange } from "../../../mesh/transfer/exchange.ts";
import type { FileStore } from "../../../mesh/transfer/file-store.ts";
import type { TransferView } from "../../../mesh/transfer/transfer.ts";
import type { RelayFrame } from "../../../mesh/relay/stream.ts";
import { formatAddress, type Address } from "../../../protocol/address.ts";
import type { Clock } from "../../../protocol/clock.ts";
import { directLimits } from "../../../protocol/limits.peer.ts";
import type { Message } from "../../../protocol/messages.ts";
import { checkText } from "../../../protocol/texts.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import type { SendExtras } from "../../../tui/backend.ts";
import type { Device } from "./device.ts";
import { Relays } from "./relays.ts";
import { DirectSends } from "./sends.ts";

/** The room of a mesh of two. */
const pairRoom = "two";

/** How the other is reached. */
export interface PairPath {
  readonly kind: Path;
  /** Where the link leads; undefined over the relay. */
  readonly address: string | undefined;
}

/** What a pair needs. */
export interface PairOptions {
  readonly device: Device;
  readonly partner: PeerId;
  readonly clock: Clock;
  readonly pace: RelayPace;
  readonly files: FileStore;
  /** Only the relay: neither listen nor dial. */
  readonly isHidden: boolean;
  /** The machine's networks; without it the system's. */
  readonly interfaces?: () => Interfaces;
  /** Ours, now. */
  readonly ownNick: () => string;
  /** Theirs, now. */
  readonly nick: () => string;
  /** Whether the server would take a frame for them. */
  readonly canRelay: () => boolean;
  readonly relay: (frame: RelayFrame) => boolean;
  /** A number for a message, above all that were shown. */
  readonly nextSeq: () => number;
  readonly emit: ClientListener;
  /** The way there is another one, or gone. */
  readonly moved: (path: PairPath | undefined) => void;
  /** A file to or from them goes on, or ends. */
  readonly transfer: (pair: Pair, view: TransferView) => void;
}

/** See above. Stopped by {@link stop}. */
export class Pair {
  readonly partner: PeerId;
  readonly #options: PairOptions;
  readonly #node: MeshNode;
  readonly #relays: Relays;
  readonly #sends: DirectSends;
  /** Entries that were shown. */
  readonly #shown: Set<EntryHash>;
  #doubtedAt = 0;
  /** The last lines, while it is looked at which of ours were delivered. */
  #lines: ReadonlyMap<EntryHash, TimelineItem> | undefined;
  /** It was told that nothing more can be taken. */
  #isFull = false;
  #stopped = false;

  /** @param shown what earlier paths to this person have shown; added to
   * @throws Error with the system's code when no port can be opened */
  constructor(options: PairOptions, shown: Set<EntryHash>) {
    const { device, partner, clock, pace, isHidden, emit } = options;
    const { identity, tls, known, randomBytes } = device;
    this.#options = options;
    this.partner = partner;
    this.#shown = shown;
    const shared = { identity, clock, random: Math.random, randomBytes };
    this.#node = new MeshNode({
      ...shared,
      tls,
      home: new MemoryHome(known, partner),
      opener: new MemoryMeshes(shared),
      nick: options.ownNick(),
      fallbackNick: options.ownNick(),
      listen: { host: undefined, port: 0 },
      partner,
      isHidden,
      connect: [],
      invite: undefined,
      inviteOnly: false,
      announce: undefined,
      lan: false,
      files: options.files,
      ...(options.interfaces === undefined ? {} : { interfaces: options.interfaces }),
      onEvent: (event) => this.#hear(event),
    });
    this.#sends = new DirectSends({
      emit,
      holding: (hash) => this.#node.core.holding(hash),
      delivered: (id, hash) => this.#delivered(id, hash),
    });
    this.#relays = new Relays(
      {
        self: identity.peerId,
        partner,
        clock,
        pace,
        tls,
        randomBytes,
        isLinked: () => this.isLinked,
        send: options.relay,
        opened: (socket) => this.#node.attach(socket),
      },
      isHidden ? 0 : directLimits.patienceMs,
    );
    this.#node.start();
  }

  get isLinked(): boolean {
    return this.#node.linkTo(this.partner) !== undefined;
  }

  /** How the other is reached now; undefined when not at all. */
  get path(): PairPath | undefined {
    const link = this.#node.linkTo(this.partner);
    if (link === undefined) return undefined;
    const { path, remote } = link;
    return { kind: path, address: path === "relay" ? undefined : formatAddress(remote) };
  }

  /** The other has compared words with us, or we with them, on this device. */
  get isVerified(): boolean {
    return this.#options.device.known.get(this.partner)?.verifiedAt !== undefined;
  }

  /** Messages that the other does not have yet. */
  get pending(): number {
    return this.#sends.pending;
  }

  /** Where we can be reached, to tell the other. */
  addresses(): readonly string[] {
    return this.#node.addresses();
  }

  /** The other told where they can be reached. */
  reach(addresses: readonly Address[]): void {
    if (!this.#options.isHidden) this.#node.reach(this.partner, addresses);
  }

  /** A frame of theirs came over the relay. */
  relayed(frame: RelayFrame): void {
    this.#relays.receive(frame);
  }

  /** The server did not take one of ours. */
  relayRefused(stream: string, message: string): void {
    this.#relays.refused(stream, message);
  }

  /** The server is there again, or they were introduced again: whatever failed is tried again now. */
  hurry(): void {
    this.#node.retry();
    this.#relays.hurry();
  }

  /** Does what is due. */
  tick(): void {
    if (this.#stopped) return;
    this.#relays.tick(this.#options.canRelay());
    const now = this.#options.clock.monotonic();
    const oldest = this.#sends.oldestAt;
    const isLate = oldest !== undefined && now - oldest > directLimits.doubtMs;
    if (!isLate || !this.isLinked || now - this.#doubtedAt < directLimits.doubtMs) return;
    this.#doubtedAt = now;
    this.#node.probe(this.partner);
  }

  /** Writes to the other. */
  send(id: string, text: string, extras?: SendExtras): Taken {
    try {
      checkText(text);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return { ok: false, code: error.code, message: error.message };
    }
    const written = this.#sends.taken(id, text, this.#options.clock.monotonic());
    const kind = extras?.action === true ? "action" : "chat";
    const published = this.#node.publish({ kind, room: pairRoom, text }, written);
    if (published.ok) return { ok: true, id };
    this.#sends.dropped(id);
    return { ok: false, code: published.code, message: published.message };
  }

  /** Files to and from them. */
  get files(): FileExchange {
    return this.#node.transfers.exchange;
  }

  /** The twelve words; undefined while there has been no link. */
  words(): readonly string[] | undefined {
    return this.#node.core.member(this.partner) === undefined ? undefined : this.#node.words(this.partner);
  }

  markVerified(): void {
    this.#node.markVerified(this.partner);
  }

  /** What went wrong at each address, and at the relay. */
  why(): Why & { readonly relay: string | undefined } {
    return { ...this.#node.why(this.partner), relay: this.#relays.lastFailure };
  }

  /** Ends it. What is not delivered fails with this message. */
  async stop(message: string): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#sends.failAll(this.#room, message);
    for (const { number } of this.files.list()) this.files.cancel(number);
    // Links first, over the relay too: the other side hears why.
    await this.#node.stop();
    this.#relays.stop();
  }

  get #room(): string {
    return `@${this.#options.nick()}`;
  }

  #hear(event: NodeEvent): void {
    if (this.#stopped && event.type !== "transfer") return;
    switch (event.type) {
      case "linked":
        this.#options.moved(this.path);
        return;
      case "unlinked":
        this.#relays.hurry();
        this.#options.moved(undefined);
        return;
      case "inserted":
        for (const { item } of event.insertions) this.#inserted(item);
        return;
      case "transfer":
        this.#options.transfer(this, event.transfer);
        return;
      case "store-failed":
        if (!this.#isFull) this.#options.emit({ kind: "told", lines: [event.message], warning: true });
        this.#isFull = true;
        return;
      case "holdings":
        this.#sends.look(this.#room, this.#options.clock.now());
        this.#lines = undefined;
        break;
      default:
    }
  }

  #inserted(item: TimelineItem): void {
    if (!("room" in item.place) || item.place.room !== pairRoom || item.kind === "topic") return;
    // Our own are shown when the other has them.
    if (this.#shown.has(item.hash) || this.#sends.has(item.hash)) return;
    this.#show(item, item.hash);
  }

  #delivered(id: string, hash: EntryHash): number {
    if (this.#shown.has(hash)) return 0;
    const item = this.#lineOf(hash);
    return item === undefined ? 0 : this.#show(item, id);
  }

  /**
   * A line that was written here. Each line among which it is looked for is read from the log, so first those are taken
   * that can hardly be too few, and once for all that are delivered at a time.
   */
  #lineOf(hash: EntryHash): TimelineItem | undefined {
    for (const limit of [2 * this.#sends.pending + directLimits.nearMost, directLimits.shownMost]) {
      if (this.#lines === undefined || !this.#lines.has(hash)) {
        const lines = this.#node.core.timeline({ room: pairRoom }, Math.min(limit, directLimits.shownMost));
        this.#lines = new Map(lines.map((line) => [line.hash, line]));
      }
      const line = this.#lines.get(hash);
      if (line !== undefined) return line;
    }
    return undefined;
  }

  #show({ author, hash, kind, text, at }: TimelineItem, id: string): number {
    this.#shown.add(hash);
    const [oldest] = this.#shown;
    if (this.#shown.size > directLimits.shownMost && oldest !== undefined) this.#shown.delete(oldest);
    const isOwn = author === this.#node.self;
    const message: Message & { readonly peer: PeerId } = {
      type: "message",
      room: this.#room,
      seq: this.#options.nextSeq(),
      id,
      from: isOwn ? this.#options.ownNick() : this.#options.nick(),
      at,
      text,
      ...(kind === "action" ? { action: true } : {}),
      ...(isOwn || this.isVerified ? {} : { unverified: true }),
      // More than the protocol's fields: whose key signed it.
      peer: author,
    };
    this.#options.emit({ kind: "received", message, rejoined: false });
    return message.seq;
  }
}
