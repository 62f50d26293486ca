/**
 * Whom to dial, where, and when: a pure planner, driven from outside.
 *
 * Targets are addresses with the key that must answer there; only an address that a person typed may come without one.
 * A target that failed waits, longer each time, with jitter, so that fifty peers which lose their switch do not all
 * dial in the same millisecond. Addresses of one peer are tried side by side, a moment apart, the one that worked last
 * first. Of two members the one with the lower ID dials at once and the other waits a little, so that they rarely
 * meet in the middle. What became of each attempt is kept: it is what `/why` shows.
 */
import type { Random } from "../../protocol/clock.ts";
import { formatAddress, type Address } from "../../protocol/address.ts";
import { dialLimits } from "../../protocol/limits.mesh.ts";
import type { PeerId } from "../core/api.ts";
import type { FailureCode, LinkFailure } from "../link/failures.ts";

/** An address to dial. */
export interface DialTarget {
  readonly address: Address;
  /** The key that must answer; undefined on a first contact. */
  readonly expected: PeerId | undefined;
  /** Typed by a person, from an invite, announced by a member, where somebody answered before, by a beacon, or told by them. */
  readonly from: "typed" | "invite" | "member" | "known" | "lan" | "told";
}

/** What is known of an address, for `/why`. */
export interface Attempts {
  readonly target: DialTarget;
  /** Failures in a row. */
  readonly failures: number;
  readonly lastFailure: LinkFailure | undefined;
  /** ms since 1970. */
  readonly lastAt: number | undefined;
  /** Monotonic ms of the next attempt; Infinity when none will be made unasked. */
  readonly nextAt: number;
}

interface State {
  target: DialTarget;
  failures: number;
  lastFailure: LinkFailure | undefined;
  lastAt: number | undefined;
  nextAt: number;
  dialling: boolean;
}

/** Failures that repeating cannot mend. */
const hopeless: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "own-key",
  "removed",
  "invite-used",
  "invite-expired",
  "invite-unknown",
]);
/** Failures that only people mend, in their own time. */
const slow: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "version",
  // Whoever stood in between may be gone again; people are told of it once.
  "changed-key",
  "different-mesh",
  "not-invited",
  "full",
]);
/** Failures that are over in a moment. */
const brief: ReadonlySet<FailureCode> = new Set<FailureCode>(["busy", "not-ready", "duplicate", "moved"]);

/** True for failures that are over in a moment, and not worth a word to a person. */
export function isBrief(code: FailureCode): boolean {
  return brief.has(code);
}

/** The planner. Times in and out are monotonic ms unless said otherwise. */
export class DialPlan {
  readonly #self: PeerId;
  readonly #random: Random;
  readonly #states = new Map<string, State>();
  readonly #peerStartedAt = new Map<PeerId, number>();

  constructor(self: PeerId, random: Random) {
    this.#self = self;
    this.#random = random;
  }

  /**
   * Replaces the targets. Known ones keep their history; those that are gone are forgotten.
   * @param isLinked peers with a link need no dialling
   * @returns targets to dial now; each is then reported by {@link failed} or {@link succeeded}
   */
  due(
    now: number,
    targets: readonly DialTarget[],
    isLinked: (peerId: PeerId) => boolean,
  ): readonly DialTarget[] {
    this.#replace(now, targets);
    let free = dialLimits.concurrent - [...this.#states.values()].filter(({ dialling }) => dialling).length;
    const chosen: DialTarget[] = [];
    for (const state of [...this.#states.values()].sort((a, b) => a.failures - b.failures)) {
      const { expected } = state.target;
      if (free <= 0 || state.dialling || state.nextAt > now) continue;
      if (expected !== undefined && !this.#mayDial(expected, now, isLinked)) continue;
      state.dialling = true;
      if (expected !== undefined) this.#peerStartedAt.set(expected, now);
      chosen.push(state.target);
      free -= 1;
    }
    return chosen;
  }

  /** The attempt came to nothing, or its link ended in the handshake. `wallNow`: ms since 1970. */
  failed(target: DialTarget, failure: LinkFailure, now: number, wallNow: number): void {
    const state = this.#states.get(keyOf(target));
    if (state === undefined) return;
    state.dialling = false;
    state.failures += 1;
    state.lastFailure = failure;
    state.lastAt = wallNow;
    state.nextAt = now + this.#pauseMs(failure.code, state.failures);
  }

  /** The attempt led to a link. */
  succeeded(target: DialTarget): void {
    const state = this.#states.get(keyOf(target));
    if (state === undefined) return;
    state.dialling = false;
    state.failures = 0;
  }

  /** A link to this peer ended: its addresses may be tried again at once. */
  lost(peerId: PeerId, now: number): void {
    for (const state of this.#states.values()) {
      if (state.target.expected === peerId && state.nextAt !== Infinity) {
        state.nextAt = now + this.#courtesyMs(state.target) + this.#random() * dialLimits.lostJitterMs;
      }
    }
  }

  /** A person asked: forget the pauses, also of what looked hopeless. */
  retry(now: number): void {
    for (const state of this.#states.values()) state.nextAt = now;
  }

  /** What is known, for `/why`. */
  attempts(): readonly Attempts[] {
    return [...this.#states.values()].map(({ dialling: _, ...state }) => ({ ...state }));
  }

  #replace(now: number, targets: readonly DialTarget[]): void {
    const wanted = new Map<string, DialTarget>();
    // The first one counts: an address that a person typed may be announced as well.
    for (const target of targets) if (!wanted.has(keyOf(target))) wanted.set(keyOf(target), target);
    for (const [key, state] of this.#states) {
      if (!wanted.has(key) && !state.dialling) this.#states.delete(key);
    }
    for (const [key, target] of wanted) {
      const known = this.#states.get(key);
      if (known !== undefined) {
        known.target = target;
        continue;
      }
      const nextAt = now + this.#courtesyMs(target);
      this.#states.set(key, {
        target,
        failures: 0,
        lastFailure: undefined,
        lastAt: undefined,
        nextAt,
        dialling: false,
      });
    }
  }

  #courtesyMs({ from, expected }: DialTarget): number {
    return (from === "member" || from === "told") && expected !== undefined && expected < this.#self
      ? dialLimits.courtesyMs
      : 0;
  }

  /** Nobody is dialled who is here, or at too many addresses at once: who announces ever new ones must not hold up others. */
  #mayDial(peerId: PeerId, now: number, isLinked: (peerId: PeerId) => boolean): boolean {
    if (isLinked(peerId) || this.#justStarted(peerId, now)) return false;
    let dialling = 0;
    for (const state of this.#states.values())
      if (state.dialling && state.target.expected === peerId) dialling += 1;
    return dialling < dialLimits.concurrentPerPeer;
  }

  #justStarted(peerId: PeerId, now: number): boolean {
    return now - (this.#peerStartedAt.get(peerId) ?? -Infinity) < dialLimits.staggerMs;
  }

  #pauseMs(code: FailureCode, failures: number): number {
    if (hopeless.has(code)) return Infinity;
    if (slow.has(code)) return dialLimits.backoffMostMs;
    const { backoffFirstMs, backoffMostMs } = dialLimits;
    const most = brief.has(code)
      ? backoffFirstMs
      : Math.min(backoffMostMs, backoffFirstMs * 2 ** (failures - 1));
    return most * (0.5 + this.#random() / 2);
  }
}

function keyOf({ address, expected }: DialTarget): string {
  return `${formatAddress(address)} ${expected ?? "?"}`;
}
