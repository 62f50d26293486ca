/**
 * Carries out the dial plan: which addresses there are, what became of them, and what a person should hear of it.
 *
 * The node hands open connections on; the dialler only brings them, and is told how each ended. It also knows whether
 * the peers a person named have answered yet, which decides whether this node may host others already.
 */
import { dialTls, type TlsIdentity } from "../../net/tls-dial.ts";
import type { TlsSocket } from "../../net/tls-socket.ts";
import { formatAddress, type Address } from "../../protocol/address.ts";
import type { Clock, Random } from "../../protocol/clock.ts";
import { lanLimits, peerNodeLimits } from "../../protocol/limits.peer.ts";
import type { MeshCoreApi, PeerId } from "../core/api.ts";
import type { LinkFailure } from "../link/failures.ts";
import type { Invite } from "../pairing/invite.ts";
import type { Acquaintances } from "../pairing/known-peers.ts";
import { DialPlan, isBrief, type Attempts, type DialTarget } from "./dial-plan.ts";
import { dialTargets } from "./dial-targets.ts";
import type { NodeEvent } from "./events.ts";

/** What a dialler needs. */
export interface DiallerOptions {
  readonly self: PeerId;
  readonly tls: TlsIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly known: Acquaintances;
  /** Dials nobody. */
  readonly isHidden?: boolean;
  readonly typed: readonly Address[];
  readonly invite: Invite | undefined;
  core(): MeshCoreApi;
  isLinked(peerId: PeerId): boolean;
  opened(socket: TlsSocket, target: DialTarget): void;
  event(event: NodeEvent): void;
}

/** See above. */
export class Dialler {
  readonly #options: DiallerOptions;
  readonly #plan: DialPlan;
  readonly #typed: Address[];
  /** Failures that were told, so that an address that stays away is told once and not at every attempt. */
  readonly #told = new Set<string>();
  /** Where peers said by another way than the log that they are. */
  readonly #reachAt = new Map<PeerId, readonly Address[]>();
  /** Who answered at an address that a person typed, this time. */
  readonly #answered = new Map<string, PeerId>();
  /** Where members' beacons came from; the latest last. */
  readonly #seen = new Map<string, { address: Address; peerId: PeerId | undefined; until: number }>();
  /** From when on we host whoever comes, monotonic ms. */
  #hostFrom: number;
  #targets: readonly DialTarget[] | undefined;

  constructor(options: DiallerOptions) {
    this.#options = options;
    this.#plan = new DialPlan(options.self, options.random);
    this.#typed = [...options.typed];
    this.#hostFrom = options.clock.monotonic() + peerNodeLimits.hostPatienceMs;
  }

  /** True when a person asked to join somebody. */
  get isSeeking(): boolean {
    return this.#typed.length > 0 || this.#options.invite !== undefined;
  }

  /** Dials what is due. */
  tick(): void {
    const { clock, known, invite, isHidden } = this.#options;
    if (isHidden === true) return;
    this.#forgetUnseen();
    const seen = [...this.#seen.values()];
    const told = [...this.#reachAt].flatMap(([peerId, addresses]) =>
      addresses.map((address) => ({ address, peerId })),
    );
    this.#targets ??= dialTargets({
      typed: this.#typed,
      invite,
      core: this.#options.core(),
      known,
      told,
      seen,
    });
    const isLinked = (peerId: PeerId): boolean => this.#options.isLinked(peerId);
    for (const target of this.#plan.due(clock.monotonic(), this.#targets, isLinked)) this.#dial(target);
  }

  /** Members or their addresses may have changed. */
  membersChanged(): void {
    this.#targets = undefined;
  }

  /** Dials these addresses for a peer from now on, in place of those told before, at once. */
  reach(peerId: PeerId, addresses: readonly Address[]): void {
    this.#reachAt.set(peerId, addresses);
    this.#targets = undefined;
    this.tick();
  }

  /** A member's beacon came from this address. */
  seenNearby(address: Address): void {
    const key = formatAddress(address);
    const until = this.#options.clock.monotonic() + lanLimits.foundForMs;
    const before = this.#seen.get(key);
    if (before === undefined) this.#targets = undefined;
    this.#seen.delete(key);
    this.#seen.set(key, { address, peerId: before?.peerId, until });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > lanLimits.foundMost && oldest !== undefined) this.#seen.delete(oldest);
  }

  #forgetUnseen(): void {
    const now = this.#options.clock.monotonic();
    for (const [key, { until }] of this.#seen) {
      if (until > now) continue;
      this.#seen.delete(key);
      this.#targets = undefined;
    }
  }

  /** Dials an address from now on, at once. */
  connect(address: Address): void {
    const now = this.#options.clock.monotonic();
    this.#typed.push(address);
    this.#targets = undefined;
    this.#told.clear();
    this.#hostFrom = now + peerNodeLimits.hostPatienceMs;
    this.#plan.retry(now);
    this.tick();
  }

  /** A person asked: tries everything again now. */
  retry(): void {
    this.#plan.retry(this.#options.clock.monotonic());
    this.tick();
  }

  /** A dialled connection is open, and this key answered. */
  answered(target: DialTarget, peerId: PeerId): void {
    const key = formatAddress(target.address);
    if (target.from === "typed") this.#answered.set(key, peerId);
    const seen = this.#seen.get(key);
    if (target.from !== "lan" || seen === undefined) return;
    // From now on it is known who is there, so that a link to them ends the dialling.
    this.#seen.set(key, { ...seen, peerId });
    this.#targets = undefined;
  }

  /** A dialled connection became a link. */
  reached(target: DialTarget, peerId: PeerId): void {
    this.#plan.succeeded(target);
    if (!isAsked(target)) return;
    this.#options.known.pin(target.address, peerId);
    this.#targets = undefined;
  }

  /** A dialled address did not lead to a link. `found`: the key that answered, if one did. */
  failed(target: DialTarget, failure: LinkFailure, found: PeerId | undefined): void {
    const { clock } = this.#options;
    const isChanged = target.from === "typed" && failure.code === "other-key";
    const why: LinkFailure = isChanged ? { ...failure, code: "changed-key" } : failure;
    this.#plan.failed(target, why, clock.monotonic(), clock.now());
    const { address, expected } = target;
    const key = `${formatAddress(address)} ${why.code}`;
    if (!isAsked(target) || isBrief(why.code) || this.#told.has(key)) return;
    this.#told.add(key);
    if (isChanged && expected !== undefined && found !== undefined) {
      this.#options.event({ type: "key-changed", address, known: expected, found });
    } else this.#options.event({ type: "dial-failed", address, failure: why });
  }

  /** A link to this peer ended. */
  lost(peerId: PeerId): void {
    this.#plan.lost(peerId, this.#options.clock.monotonic());
  }

  /** What became of each address, for `/why`. */
  attempts(): readonly Attempts[] {
    return this.#plan.attempts();
  }

  /**
   * Of several peers that are started to find each other, the one with the lowest ID should host and the others join
   * it; so for a moment after the start nobody hosts who still expects an answer from somebody lower than `guest`.
   */
  mayStillJoin(guest: PeerId): boolean {
    const { clock, self, known } = this.#options;
    if (clock.monotonic() > this.#hostFrom) return false;
    const failed = new Set(
      this.#plan
        .attempts()
        .flatMap(({ target, failures }) => (failures > 0 ? formatAddress(target.address) : [])),
    );
    return this.#typed.some((address) => {
      const found = this.#answered.get(formatAddress(address)) ?? known.pinOf(address);
      if (found === guest || found === self) return false;
      return found === undefined ? !failed.has(formatAddress(address)) : found < self;
    });
  }

  #dial(target: DialTarget): void {
    const { tls, clock } = this.#options;
    dialTls({
      endpoint: target.address,
      identity: tls,
      clock,
      opened: (socket) => this.#options.opened(socket, target),
      failed: (failure) => this.failed(target, failure, undefined),
    });
  }
}

/** True for an address that a person named, in whatever form. */
export function isAsked({ from }: DialTarget): boolean {
  return from === "typed" || from === "invite";
}
