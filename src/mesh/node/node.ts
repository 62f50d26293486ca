/**
 * A peer: one mesh core, the port, the links and the dialler, tied together.
 *
 * The node owns everything that touches the outside: it listens, dials by plan, lets strangers in or asks to be let in,
 * and hands frames between links and core. Who is a member, and what they wrote and may do, the core knows alone.
 *
 * A node is always in a mesh, if need be in one of its own with nobody else in it: so an invite can be made and a
 * message written at any moment. When it joins somebody, its own empty mesh is given up, and what was written there
 * while nobody could read it is written again in the new one. Invariant: `#mesh` is open from construction to `stop`,
 * and the core hears of a peer only between `up` and `closed` of a link.
 */
import { networkInterfaces } from "node:os";
import { listenTls, type TlsListener } from "../../net/tls-listen.ts";
import type { TlsSocket } from "../../net/tls-socket.ts";
import { formatAddress, type Address } from "../../protocol/address.ts";
import type { Clock, Timer } from "../../protocol/clock.ts";
import { peerNodeLimits } from "../../protocol/limits.peer.ts";
import type { Draft, MeshCoreApi, PeerId, ReasonCode, Refused, Standing } from "../core/api.ts";
import { isRemoval, type LinkCode, type LinkFailure } from "../link/failures.ts";
import { FrameType } from "../link/frames.ts";
import type { Admission, Introduction } from "../link/hello.ts";
import { Link, type AdmittedBy, type LinkOwner } from "../link/link.ts";
import { verificationWords } from "../pairing/words.ts";
import { ownAddresses, pathOf, reachable, type Interfaces, type Path } from "./addresses.ts";
import type { DialTarget } from "./dial-plan.ts";
import { Dialler, isAsked } from "./dialler.ts";
import { Belonging } from "./belonging.ts";
import type { Written, WrittenHandler } from "./drafts.ts";
import { EventQueue, type NodeEvent } from "./events.ts";
import { guarded } from "./guarded.ts";
import { LanDiscovery } from "./lan.ts";
import type { NodeOptions } from "./options.ts";
import { markLookAlikes } from "./look-alikes.ts";
import { PeerLinks } from "./peer-links.ts";
import { NodeTransfers } from "./transfers.ts";
import { recent } from "./recent.ts";
import { TurnedAwayList } from "./turned-away.ts";
import type { PeerView, Why } from "./views.ts";

/** A running peer. */
export class MeshNode implements LinkOwner {
  readonly self: PeerId;
  readonly instance: string;
  readonly clock: Clock;
  readonly #interfaces: () => Interfaces;
  readonly transfers: NodeTransfers;
  readonly #options: NodeOptions;
  readonly #belonging: Belonging;
  readonly #dialler: Dialler;
  readonly #links: PeerLinks;
  /** Links that are open, up or not, with what is known from outside of them. */
  readonly #open = new Map<Link, { target: DialTarget | undefined; admitted: () => void }>();
  readonly #turnedAway: TurnedAwayList;
  /** Whose link was told of, and whether it is relayed. */
  readonly #told = new Map<PeerId, boolean>();
  #listener: TlsListener | undefined;
  #lan: LanDiscovery | undefined;
  #timers: Timer[] = [];
  readonly #events: EventQueue;
  #stopped = false;

  /** Opens the mesh; nothing is on the network before {@link start}. @throws StoreError, StateFileError */
  constructor(options: NodeOptions) {
    this.#options = options;
    this.#events = new EventQueue((event) => options.onEvent(event));
    this.clock = options.clock;
    const { interfaces = networkInterfaces } = options;
    this.#interfaces = recent(interfaces, options.clock, peerNodeLimits.interfacesAgeMs);
    this.self = options.identity.peerId;
    this.instance = Buffer.from(options.randomBytes(12)).toString("base64url");
    this.#links = new PeerLinks(this.self);
    this.#turnedAway = new TurnedAwayList(this.clock, (event) => this.#event(event));
    this.transfers = new NodeTransfers(options, (event) => this.#event(event));
    this.#dialler = new Dialler({
      ...options,
      self: this.self,
      known: options.home.known,
      typed: options.connect,
      core: () => this.core,
      isLinked: (peerId) => this.#links.primary(peerId)?.socket.relayed === false,
      opened: (socket, target) => this.#dialled(socket, target),
      event: (event) => this.#event(event),
    });
    this.#belonging = new Belonging({
      ...options,
      self: this.self,
      addresses: () => this.addresses(),
      seeking: () => this.#dialler.isSeeking,
      mayStillJoin: (guest) => this.#dialler.mayStillJoin(guest),
      closeOthers: (than) => {
        for (const link of this.#open.keys()) if (link !== than) link.close("moved");
      },
      closeLinks: (peerId, code) => this.#closeLinks(peerId, code),
      event: (event) => this.#event(event),
    });
  }

  /** Opens the port and begins to dial. @throws Error with the system's code when the port cannot be opened */
  start(): void {
    this.#timers = [
      this.clock.every(peerNodeLimits.tickMs, () => this.#tick()),
      this.clock.every(peerNodeLimits.interfacesMs, () => this.#belonging.announce()),
    ];
    if (this.#options.isHidden !== true) this.#listen();
    this.#belonging.announce();
    this.#tick();
  }

  #listen(): void {
    const { listen, tls, clock } = this.#options;
    const event = (happened: NodeEvent): void => this.#event(happened);
    this.#listener = listenTls({
      ...listen,
      identity: tls,
      clock,
      hint: "This is the port of an rtchat peer. To talk to it, run: rtchat peer --connect HOST:PORT",
      accepted: (socket, admitted) => this.#greet(socket, undefined, admitted),
      refused: (remote, failure) => this.#turnedAway.add(remote, undefined, failure),
    });
    if (this.#options.lan) {
      const { port } = this.#listener;
      const secrets = () => this.secrets();
      const interfaces = () => reachable(this.#interfaces(), listen.host);
      const found = (address: Address) => this.#dialler.seenNearby(address);
      this.#lan = new LanDiscovery({ ...this.#options, port, secrets, interfaces, found, event });
    }
    this.#event({ type: "listening", host: listen.host, port: this.#listener.port });
  }

  /** Says goodbye to everybody and closes the log. Resolves when the last link is gone. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const timer of this.#timers) timer.stop();
    this.#listener?.stop();
    this.#lan?.stop();
    for (const link of this.#open.keys()) link.close("going-away");
    while (this.#open.size > 0) await new Promise<void>((done) => this.clock.after(5, done));
    await this.transfers.close();
    this.#belonging.close();
  }

  /** The mesh's log and members. Another object after a mesh was joined: ask each time. */
  get core(): MeshCoreApi {
    return this.#belonging.core;
  }

  /** The real port; undefined before {@link start}. */
  get port(): number | undefined {
    return this.#listener?.port;
  }

  /** Addresses under which others can reach this device, best first. */
  addresses(): readonly string[] {
    const { announce, isHidden, listen } = this.#options;
    if (announce !== undefined) return announce.map(formatAddress);
    if (isHidden === true) return [];
    return ownAddresses({ host: listen.host, port: this.port ?? listen.port }, this.#interfaces());
  }

  /** Writes something, now or as soon as the log is here; see {@link Belonging.publish}. */
  publish(draft: Draft, written?: WrittenHandler): Written {
    return this.#belonging.publish(draft, written);
  }

  /** Dials everybody who is not here at once, whatever pauses there were. */
  retry(): void {
    this.#dialler.retry();
  }

  /** A fresh invite, good for one key. @throws StoreError */
  invite(): string {
    return this.#belonging.invite();
  }

  /** Lets strangers in on first use, or only by invite. */
  setInviteOnly(inviteOnly: boolean): void {
    this.#belonging.inviteOnly = inviteOnly;
  }

  /** Dials an address from now on, at once. */
  connect(address: Address): void {
    this.#dialler.connect(address);
  }

  /** Dials these addresses for a peer from now on, in place of those told before. */
  reach(peerId: PeerId, addresses: readonly Address[]): void {
    this.#dialler.reach(peerId, addresses);
  }

  /** Takes a connection that was made elsewhere, over a relay. */
  attach(socket: TlsSocket): void {
    if (this.#stopped) socket.destroy({ code: "ours", detail: "stopping" });
    else this.#greet(socket, undefined, () => {});
  }

  /** The link that carries a peer's messages now; undefined when there is none. */
  linkTo(peerId: PeerId): { readonly path: Path; readonly remote: Address } | undefined {
    const link = this.#links.primary(peerId);
    return link && { path: this.#pathOf(link), remote: link.socket.remote };
  }

  /** Asks for a sign of life: a link that is dead without our knowing ends soon. */
  probe(peerId: PeerId): void {
    this.#links.primary(peerId)?.probe();
  }

  /** Removes a member for good. */
  remove(peerId: PeerId): { readonly ok: true } | Refused {
    const done = this.core.remove(peerId);
    if (!done.ok) return done;
    this.transfers.forget(peerId);
    this.#closeLinks(peerId, "removed");
    return { ok: true };
  }

  /** The twelve words to compare with a peer. Takes some 50 ms. */
  words(peerId: PeerId): readonly string[] {
    return verificationWords(this.self, peerId, this.core.meshId);
  }

  /** The words were compared and are the same. */
  markVerified(peerId: PeerId): void {
    this.#options.home.known.verify(peerId, this.clock.now());
    this.#event({ type: "members", peerIds: [peerId] });
  }

  /** Everybody in the mesh, and how we reach them. */
  peers(): readonly PeerView[] {
    return markLookAlikes(this.core.members()).map((member) => {
      const link = this.#links.primary(member.peerId);
      const known = this.#options.home.known.get(member.peerId);
      return { ...member, path: link && this.#pathOf(link), roundTripMs: link?.roundTripMs, known };
    });
  }

  /** As long as it is the same, so is what {@link peers} says of names, presence and trust. */
  get memberChanges(): number {
    return this.#events.memberChanges;
  }

  /** Why somebody is not there: all that was tried and seen. Without a peer: everything. */
  why(peerId?: PeerId): Why {
    const about = (id: PeerId | undefined): boolean => peerId === undefined || id === peerId;
    return {
      attempts: this.#dialler.attempts().filter(({ target }) => about(target.expected)),
      faults: peerId === undefined ? [] : [...this.core.faults(peerId), ...this.transfers.faults(peerId)],
      turnedAway: this.#turnedAway.about(peerId),
    };
  }

  situation(): Pick<Introduction, "situation" | "seeking" | "rank"> {
    return this.#belonging.situation();
  }

  secrets(): readonly Uint8Array[] {
    return this.#belonging.secrets();
  }

  formerSecrets(): readonly Uint8Array[] {
    return this.#belonging.formerSecrets();
  }

  standing(peerId: PeerId): Standing {
    return this.core.standing(peerId);
  }

  tokenFor(peerId: PeerId): string | undefined {
    return this.#belonging.tokenFor(peerId);
  }

  admit(link: Link, by: AdmittedBy, token: string | undefined): Admission | LinkCode {
    return this.#guarded(() => this.#belonging.admit(link, by, token));
  }

  mayJoin(link: Link): LinkCode | undefined {
    return this.#belonging.mayJoin(link);
  }

  adopt(link: Link, admission: Admission): LinkCode | undefined {
    return this.#guarded(() => this.#belonging.adopt(link, admission));
  }

  up(link: Link): LinkCode | ReasonCode | undefined {
    const { peerId } = link;
    if (peerId === undefined || this.#stopped) return "going-away";
    const { change, close } = this.#links.add(peerId, link);
    const up = change === "none" ? undefined : this.#carry(peerId, link);
    if (up?.ok === false) {
      this.#links.remove(peerId, link);
      return up.code;
    }
    const context = this.#open.get(link);
    context?.admitted();
    this.#guarded(() => {
      if (context?.target !== undefined) this.#dialler.reached(context.target, peerId);
      this.#belonging.met(link);
      return undefined;
    });
    for (const older of close) older.close("duplicate");
    if (change === "none") return undefined;
    // Files go where messages go: a link that is not sent on ends without anybody hearing of it.
    this.transfers.linkUp(peerId, link);
    this.#tellLinked(peerId);
    return undefined;
  }

  frame(link: Link, type: number, payload: Uint8Array): void {
    if (link.peerId === undefined) return;
    // Types that a later version may add are passed over.
    if (type === FrameType.Core) this.core.receive(link.peerId, payload);
    else if (type === FrameType.Transfer) this.transfers.receive(link.peerId, link, payload);
  }

  drained(link: Link): void {
    if (link.peerId === undefined || this.#links.primary(link.peerId) !== link) return;
    this.core.linkDrained(link.peerId);
    this.transfers.drained(link.peerId);
  }

  closed(link: Link, failure: LinkFailure, wasUp: boolean): void {
    const context = this.#open.get(link);
    this.#open.delete(link);
    this.#belonging.ended(link);
    const { peerId } = link;
    if (peerId !== undefined && isRemoval(failure.code) && this.standing(peerId) === "member") {
      this.#event({ type: "shut-out", peerId });
    }
    if (!wasUp) {
      if (context?.target !== undefined) this.#dialler.failed(context.target, failure, peerId);
      else this.#turnedAway.add(link.socket.remote, peerId, failure);
      return;
    }
    if (peerId === undefined) return;
    const change = this.#links.remove(peerId, link);
    const next = this.#links.primary(peerId);
    if (change === "replaced" && next !== undefined) {
      this.#carry(peerId, next);
      this.transfers.linkUp(peerId, next);
      this.#tellLinked(peerId);
    }
    if (change !== "last") return;
    this.#told.delete(peerId);
    this.transfers.linkDown(peerId);
    this.core.linkDown(peerId);
    this.#dialler.lost(peerId);
    this.#event({ type: "unlinked", peerId, failure });
  }

  /** Tells of a first link, and of one that is of another kind than the one before. */
  #tellLinked(peerId: PeerId): void {
    const link = this.#links.primary(peerId);
    if (link === undefined || this.#told.get(peerId) === link.socket.relayed) return;
    this.#told.set(peerId, link.socket.relayed);
    this.#event({ type: "linked", peerId, path: this.#pathOf(link), dialled: link.socket.dialled });
  }

  #pathOf({ socket: { relayed, local, remote } }: Link): Path {
    return relayed ? "relay" : pathOf(local, remote, this.#interfaces());
  }

  /** Runs what writes to disk for a link: a disk that refuses ends that link, and not the process. */
  #guarded<Result>(run: () => Result): Result | "internal" {
    return guarded(run, (message) => this.#event({ type: "store-failed", message }));
  }

  /** Lets the core send to a peer over this link. */
  #carry(peerId: PeerId, link: Link): ReturnType<MeshCoreApi["linkUp"]> {
    return this.core.linkUp(peerId, (frame) => link.send(FrameType.Core, frame));
  }

  #event(event: NodeEvent): void {
    if (event.type === "members" || event.type === "mesh") this.#dialler.membersChanged();
    this.#events.push(event);
  }

  #tick(): void {
    if (this.#stopped) return;
    this.core.tick();
    this.#belonging.settle();
    this.#dialler.tick();
  }

  #dialled(socket: TlsSocket, target: DialTarget): void {
    if (this.#stopped) socket.destroy({ code: "ours", detail: "stopping" });
    else this.#greet(socket, target, () => {});
  }

  #greet(socket: TlsSocket, target: DialTarget | undefined, admitted: () => void): void {
    const expected = target?.expected ?? this.#options.partner;
    const link = new Link(this, socket, expected, target !== undefined && isAsked(target));
    if (target !== undefined && link.peerId !== undefined) this.#dialler.answered(target, link.peerId);
    this.#open.set(link, { target, admitted });
    link.start();
  }

  #closeLinks(peerId: PeerId, code: LinkCode | ReasonCode): void {
    for (const link of this.#open.keys()) if (link.peerId === peerId) link.close(code);
  }
}
