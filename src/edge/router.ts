/**
 * What an edge asks of whoever knows the hubs, and what it tells them.
 *
 * The edge knows clients and how to move them; which hub is right for whom is somebody else's business: the balancer's,
 * or in a server nobody's, because there is only one. Everything here is called synchronously and must not throw.
 *
 * Accounting, for each trunk and each session: every trunk that {@link Router.place} answered is followed by exactly one
 * of `placed` and `failed`; every one that {@link Router.move} answered by exactly one `movedIn`, at once. A session that
 * is on a trunk leaves it by exactly one of `movedOut` and `ended`.
 */
import type { Admission } from "./gate.ts";
import type { TrunkLink } from "./link.ts";
import type { CloseReason, Origin } from "./trunk.ts";
import type { ErrorCode } from "../protocol/errors.ts";

/** A client that is not taken: told why, and closed. */
export interface Refusal {
  readonly code: ErrorCode;
  /** One sentence for a person: what happened and what to do. */
  readonly message: string;
}

/** Chooses trunks. */
export interface Router {
  /**
   * For a new client, at its first line.
   * @param failed trunks that took this very session and died before they said anything to it
   * @returns "wait" when there is none now: the session is held (see Edge.retry)
   */
  place(origin: Origin, failed: ReadonlySet<TrunkLink>): TrunkLink | Refusal | "wait";
  /**
   * For a session that a hub knows already and that must go elsewhere.
   * @param from the trunk it was on last
   */
  move(origin: Origin, from: TrunkLink): TrunkLink | Refusal | "wait";
}

/** A session that has ended, for logs and counters. Nothing private in it. */
export interface SessionRecord {
  /** The client's address. */
  readonly address: string;
  /** The trunk it was on, if any; else the last one. */
  readonly link: TrunkLink | undefined;
  /** Wall clock, ms. */
  readonly acceptedAt: number;
  readonly durationMs: number;
  /** Payload from and to the client. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly linesIn: number;
  /** How often it was moved. */
  readonly moves: number;
  /** Why it ended: by the client, by the hub ("bye" or a code), or by the edge. */
  readonly reason: CloseReason | "bye";
}

/** Hears what happens. All members are optional calls: what is not there is not told. */
export interface EdgeObserver {
  /** A connection was let in. */
  accepted?(): void;
  /** A newcomer was turned away at the door. */
  refused?(address: string, admission: Admission & { admitted: false }): void;
  /** A session placed by `Router.place` was answered by its hub. @param retried another trunk had failed it before */
  placed?(link: TrunkLink, retried: boolean): void;
  /** A trunk died before it said anything to a session that `Router.place` had given it. */
  failed?(link: TrunkLink): void;
  /** A session left a trunk and goes on elsewhere, or is held. */
  movedOut?(link: TrunkLink): void;
  /** A session that was elsewhere was given to this trunk. */
  movedIn?(link: TrunkLink): void;
  /** The hub it was moved to has said something: the pause is over. @param pauseMs since it left the earlier trunk */
  resumed?(link: TrunkLink, pauseMs: number): void;
  /** A placed session ended. Before the record, which comes when its connection is gone. @param link undefined: held */
  ended?(link: TrunkLink | undefined): void;
  /** A connection is gone, whatever became of it. */
  closed?(record: SessionRecord): void;
  /** A hub wants to be left: its sessions should be moved (Edge.move). */
  draining?(link: TrunkLink): void;
  /** A trunk is behind: its clients are not read until it has caught up. */
  pressed?(link: TrunkLink): void;
  eased?(link: TrunkLink): void;
}
