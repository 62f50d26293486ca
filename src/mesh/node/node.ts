/**
 * A peer: one mesh core, the port, the links and the dialler, tied together.
 *
 * The node owns everything that touches the outside: it listens, dials by plan, lets strangers in or asks to be let in,
 * and hands frames between links and core. Where people are in the mesh, what they wrote and what they may do, the core
 * knows alone.
 *
 * A node is always in a mesh, if need be in one of its own with nobody else in it: so an invite can be made and a
 * message written at any moment. When it joins somebody, its own empty mesh is given up, and what was written there
 * while nobody could read it is written again in the new one. Invariant: `#mesh` is open from construction to `stop`,
 * and the core hears of a peer only between `up` and `closed` of a link.
 */
import { networkInterfaces } from "node:os";
import type { Identity } from "../../identity/key-file.ts";
import type { TlsIdentity } from "../../net/tls-dial.ts";
import type { TlsFailure } from "../../net/tls-failure.ts";
import { listenTls, type TlsListener } from "../../net/tls-listen.ts";
import type { TlsSocket } from "../../net/tls-socket.ts";
import { formatAddress, type Address } from "../../protocol/address.ts";
import type { Clock, Random, Timer } from "../../protocol/clock.ts";
import { peerNodeLimits } from "../../protocol/limits.peer.ts";
import type { Draft, MeshCoreApi, PeerId, ReasonCode, Refused, Standing } from "../core/api.ts";
import { StoreError } from "../core/store-error.ts";
import type { LinkCode, LinkFailure } from "../link/failures.ts";
import { FrameType } from "../link/frames.ts";
import type { Admission, Introduction } from "../link/hello.ts";
import { Link, type AdmittedBy, type LinkOwner } from "../link/link.ts";
import type { Invite } from "../pairing/invite.ts";
import { StateFileError } from "../pairing/json-file.ts";
import { verificationWords } from "../pairing/words.ts";
import { ownAddresses, pathOf, reachable, type Interfaces } from "./addresses.ts";
import type { DialTarget } from "./dial-plan.ts";
import { Dialler, isAsked } from "./dialler.ts";
import { Belonging } from "./belonging.ts";
import type { Written, WrittenHandler } from "./drafts.ts";
import type { NodeEvent } from "./events.ts";
import type { PeerHome } from "./home.ts";
import { LanDiscovery } from "./lan.ts";
import type { MeshOpener } from "./open-mesh.ts";
import { PeerLinks } from "./peer-links.ts";
import type { PeerView, TurnedAway, Why } from "./views.ts";

/** Everything a node is made of. */
export interface NodeOptions {
  readonly identity: Identity;
  readonly tls: TlsIdentity;
  readonly home: PeerHome;
  readonly opener: MeshOpener;
  readonly clock: Clock;
  readonly random: Random;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Shown to the others. Undefined: what was set before, or `fallbackNick`. */
  readonly nick: string | undefined;
  readonly fallbackNick: string;
  /** `host` undefined: all addresses. Port 0: any. */
  readonly listen: { readonly host: string | undefined; readonly port: number };
  /** Addresses a person typed. */
  readonly connect: readonly Address[];
  readonly invite: Invite | undefined;
  /** Let in only who has an invite. */
  readonly inviteOnly: boolean;
  /** Announced instead of the machine's own addresses, where a port is forwarded; undefined: the own ones. */
  readonly announce: readonly Address[] | undefined;
  /** Look for members on the local networks, and be found there. */
  readonly lan: boolean;
  readonly interfaces?: () => Interfaces;
  onEvent(event: NodeEvent): void;
}

/** A running peer. */
export class MeshNode implements LinkOwner {
  readonly self: PeerId;
  readonly instance: string;
  readonly clock: Clock;
  readonly #options: NodeOptions;
  readonly #belonging: Belonging;
  readonly #dialler: Dialler;
  readonly #links: PeerLinks;
  /** Links that are open, up or not, with what is known from outside of them. */
  readonly #open = new Map<Link, { target: DialTarget | undefined; admitted: () => void }>();
  readonly #turnedAway: TurnedAway[] = [];
  #listener: TlsListener | undefined;
  #lan: LanDiscovery | undefined;
  #timers: Timer[] = [];
  readonly #events: NodeEvent[] = [];
  #stopped = false;

  /** Opens the mesh; nothing is on the network before {@link start}. @throws StoreError, StateFileError */
  constructor(options: NodeOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.self = options.identity.peerId;
    this.instance = Buffer.from(options.randomBytes(12)).toString("base64url");
    this.#links = new PeerLinks(this.self);
    this.#dialler = new Dialler({
      ...options,
      self: this.self,
      known: options.home.known,
      typed: options.connect,
      core: () => this.core,
      isLinked: (peerId) => this.#links.primary(peerId) !== undefined,
      opened: (socket, target) => this.#dialled(socket, target),
      event: (event) => this.#event(event),
    });
    this.#belonging = new Belonging({
      ...options,
      self: this.self,
      addresses: () => this.addresses(),
      seeking: () => this.#dialler.isSeeking,
      mayStillJoin: (guest) => this.#dialler.mayStillJoin(guest),
      closeOthers: (than) => this.#closeOthers(than),
      closeLinks: (peerId, code) => this.#closeLinks(peerId, code),
      event: (event) => this.#event(event),
    });
  }

  /** Opens the port and begins to dial. @throws Error with the system's code when the port cannot be opened */
  start(): void {
    const { listen, tls, clock } = this.#options;
    this.#listener = listenTls({
      ...listen,
      identity: tls,
      clock,
      hint: "This is the port of an rtchat peer. To talk to it, run: rtchat peer --connect HOST:PORT",
      accepted: (socket, admitted) => this.#greet(socket, undefined, admitted),
      refused: (remote, failure) => this.#turnAway(remote, undefined, failure),
    });
    this.#timers = [
      clock.every(peerNodeLimits.tickMs, () => this.#tick()),
      clock.every(peerNodeLimits.interfacesMs, () => this.#belonging.announce()),
    ];
    if (this.#options.lan) this.#discover(this.#listener.port);
    this.#event({ type: "listening", host: listen.host, port: this.#listener.port });
    this.#belonging.announce();
    this.#tick();
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
    const { announce } = this.#options;
    if (announce !== undefined) return announce.map(formatAddress);
    const port = this.#listener?.port ?? this.#options.listen.port;
    return ownAddresses({ host: this.#options.listen.host, port }, this.#interfaces());
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

  get inviteOnly(): boolean {
    return this.#belonging.inviteOnly;
  }

  /** Dials an address from now on, at once. */
  connect(address: Address): void {
    this.#dialler.connect(address);
  }

  /** Removes a member for good. */
  remove(peerId: PeerId): { readonly ok: true } | Refused {
    const done = this.core.remove(peerId);
    if (!done.ok) return done;
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
    const interfaces = this.#interfaces();
    return this.core.members().map((member) => {
      const link = this.#links.primary(member.peerId);
      const path = link && pathOf(link.socket.local, link.socket.remote, interfaces);
      const known = this.#options.home.known.get(member.peerId);
      return { ...member, path, roundTripMs: link?.roundTripMs, known };
    });
  }

  /** Why somebody is not there: all that was tried and seen. Without a peer: everything. */
  why(peerId?: PeerId): Why {
    const about = (id: PeerId | undefined): boolean => peerId === undefined || id === peerId;
    return {
      attempts: this.#dialler.attempts().filter(({ target }) => about(target.expected)),
      faults: peerId === undefined ? [] : this.core.faults(peerId),
      turnedAway: this.#turnedAway.filter((one) => about(one.peerId)),
    };
  }

  // What links ask of their owner.

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
    const up = this.#carry(peerId, link);
    if (!up.ok) return up.code;
    const { change, close } = this.#links.add(peerId, link);
    const context = this.#open.get(link);
    context?.admitted();
    this.#guarded(() => {
      if (context?.target !== undefined) this.#dialler.reached(context.target, peerId);
      this.#belonging.met(link);
      return undefined;
    });
    for (const older of close) older.close("duplicate");
    if (change === "first") {
      const path = pathOf(link.socket.local, link.socket.remote, this.#interfaces());
      this.#event({ type: "linked", peerId, path, dialled: link.socket.dialled });
    }
    return undefined;
  }

  frame(link: Link, type: number, payload: Uint8Array): void {
    if (link.peerId === undefined) return;
    // Types that a later version may add are passed over.
    if (type === FrameType.Core) this.core.receive(link.peerId, payload);
  }

  drained(link: Link): void {
    if (link.peerId !== undefined && this.#links.primary(link.peerId) === link)
      this.core.linkDrained(link.peerId);
  }

  closed(link: Link, failure: LinkFailure, wasUp: boolean): void {
    const context = this.#open.get(link);
    this.#open.delete(link);
    this.#belonging.ended(link);
    const { peerId } = link;
    if (!wasUp) {
      if (context?.target !== undefined) this.#dialler.failed(context.target, failure, peerId);
      else this.#turnAway(link.socket.remote, peerId, failure);
      return;
    }
    if (peerId === undefined) return;
    const change = this.#links.remove(peerId, link);
    const next = this.#links.primary(peerId);
    if (change === "replaced" && next !== undefined) this.#carry(peerId, next);
    if (change !== "last") return;
    this.core.linkDown(peerId);
    this.#dialler.lost(peerId);
    this.#event({ type: "unlinked", peerId, failure });
  }

  /** Runs what writes to disk for a link: a disk that refuses ends that link, and not the process. */
  #guarded<Result>(run: () => Result): Result | "internal" {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof StateFileError)) throw error;
      this.#event({ type: "store-failed", message: error.message });
      return "internal";
    }
  }

  #discover(port: number): void {
    this.#lan = new LanDiscovery({
      ...this.#options,
      port,
      secrets: () => this.secrets(),
      interfaces: () => reachable(this.#interfaces(), this.#options.listen.host),
      found: (address) => this.#dialler.seenNearby(address),
      nearby: (address) => this.#event({ type: "nearby", address }),
      failed: (error) => this.#event({ type: "lan-failed", message: error.message }),
    });
  }

  /** Lets the core send to a peer over this link. */
  #carry(peerId: PeerId, link: Link): { readonly ok: true } | Refused {
    return this.core.linkUp(peerId, (frame) => link.send(FrameType.Core, frame));
  }

  #interfaces(): Interfaces {
    return (this.#options.interfaces ?? networkInterfaces)();
  }

  /** Events reach the screen after the call that caused them, so that the screen may ask the core about them. */
  #event(event: NodeEvent): void {
    if (event.type === "members" || event.type === "mesh") this.#dialler.membersChanged();
    this.#events.push(event);
    if (this.#events.length === 1) queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    for (const event of this.#events.splice(0)) this.#options.onEvent(event);
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
    const link = new Link(this, socket, target?.expected, target !== undefined && isAsked(target));
    if (target !== undefined && link.peerId !== undefined) this.#dialler.answered(target, link.peerId);
    this.#open.set(link, { target, admitted });
    link.start();
  }

  #turnAway(remote: Address, peerId: PeerId | undefined, failure: LinkFailure | TlsFailure): void {
    this.#turnedAway.unshift({ remote, peerId, failure, at: this.clock.now() });
    this.#turnedAway.length = Math.min(this.#turnedAway.length, peerNodeLimits.turnedAwayRemembered);
    this.#event({ type: "turned-away", remote, peerId, failure });
  }

  #closeOthers(than: Link | undefined): void {
    for (const link of this.#open.keys()) if (link !== than) link.close("moved");
  }

  #closeLinks(peerId: PeerId, code: LinkCode | ReasonCode): void {
    for (const link of this.#open.keys()) if (link.peerId === peerId) link.close(code);
  }
}
