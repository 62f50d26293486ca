/**
 * The trunk: what an edge and a hub say to each other.
 *
 * An edge owns sockets and knows no chat; a hub owns the chat and knows no sockets. Between them run many sessions,
 * named by small integers that the edge chooses, and groups, named by small integers that the hub chooses. The same two
 * interfaces are used in one process (a server's own clients) and over TCP in binary frames (a balancer's clients), so
 * neither side knows which it talks to.
 *
 * Invariants, for both forms:
 * - Each direction is one FIFO. What a hub says is applied by the edge in the order said.
 * - A group frame brings every member of the group to its position. A session that joins a group has, by then, been
 *   sent everything up to the group's position as of that point in the stream.
 * - Lines of a session are numbered from 1 by counting; the hub finishes them in that order. `done` in whatever the hub
 *   sends to a session means: all lines up to this number are finished and their answers are in this or an earlier
 *   frame. So an answer and its acknowledgement arrive together or not at all, and an edge that loses a hub knows
 *   exactly which lines to give to the next one.
 * - Byte arrays handed over are never changed afterwards by either side. Lines handed to an edge end with `\n`.
 */
import type { ErrorCode } from "../protocol/errors.ts";
import type { Position } from "../protocol/messages.ts";
import type { Validity } from "../protocol/validity.ts";

/** A session's number on one trunk: chosen by the edge, above 0, not reused while the trunk lives. */
export type SessionId = number;
/** A group's number on one trunk: chosen by the hub, above 0, not reused while the trunk lives. */
export type GroupId = number;

/** Where a client comes from. */
export interface Origin {
  /** The client's address as an operator wants to see it, `ip:port` or `[v6]:port`, v4-mapped addresses as v4. */
  readonly address: string;
  /** The edge that accepted it, as that edge names itself. */
  readonly edge: string;
  /** When that was, by the edge's wall clock, ms since 1970: of two connections of one session, the later counts. */
  readonly acceptedAt: number;
  /** Random, chosen by the edge: names this connection in the whole cluster, wherever it is moved. */
  readonly connection: string;
}

/** A group as one session knew it, when it is moved to another hub. */
export interface GroupView {
  /** The group's name: the room's key, or INBOX. */
  readonly name: string;
  readonly position: Position;
  /** The members' digest last seen (see EdgePort.group). */
  readonly roster: number;
}

/** What moves a session to another hub. */
export interface Handover {
  readonly origin: Origin;
  /** The last resume token the hub gave (see EdgePort.token); empty if it was not welcomed yet. */
  readonly token: string;
  /** Lines finished so far: the next line given has number `done + 1`. */
  readonly done: number;
  /** How often this connection has been moved, this time included: of two hubs that take it over, the later counts. */
  readonly moves: number;
  readonly groups: readonly GroupView[];
}

/** What an edge asks of a hub. Calls never fail and never block; a hub that is gone ignores them. */
export interface HubPort {
  /** A client has said its first line (which follows through {@link lines}). */
  open(session: SessionId, origin: Origin): void;
  /** A client of another hub continues here; its unfinished lines follow through {@link lines}. */
  resume(session: SessionId, handover: Handover): void;
  /** One or more whole lines, each with its newline. */
  lines(session: SessionId, lines: Uint8Array): void;
  /** The client is gone. The hub says nothing more to this session. */
  close(session: SessionId, reason: CloseReason): void;
}

/**
 * Why an edge closed a session: `ended` and `failed` by the client's socket, `going-away` because it was moved to
 * another hub, the others by the edge's own limits.
 */
export type CloseReason = "ended" | "failed" | ErrorCode;

/** What a hub asks of an edge. Calls never fail and never block; unknown sessions and groups are ignored. */
export interface EdgePort {
  /**
   * Bytes (whole lines, possibly none) to one session.
   * @param done all lines of the session up to this number are finished
   */
  send(session: SessionId, bytes: Uint8Array, done: number): void;
  /** Introduces a group: its name, where it stands, and its members' digest. Before any other use of its number. */
  define(group: GroupId, name: string, position: Position, roster: number): void;
  /**
   * Whole lines to every session of a group, but `except` (0 for none).
   * @param seq where this brings the group
   * @param roster a digest of the members' nicks after this frame; opaque to the edge
   */
  group(group: GroupId, bytes: Uint8Array, seq: number, roster: number, except: SessionId): void;
  /**
   * The session is in the group from this point of the stream on, right after it was given these bytes (whole lines,
   * possibly none), which bring it to where the group stands. One call, so that a trunk that is lost either brought both
   * or neither: a client that was told that it is in a room is in the group, and the next hub hears of that.
   * @param done as for {@link send}
   */
  join(session: SessionId, group: GroupId, bytes: Uint8Array, done: number): void;
  leave(session: SessionId, group: GroupId): void;
  /** Forgets a group and its number. */
  drop(group: GroupId): void;
  /**
   * Missed messages for a session that was moved here and is not yet back in the group called `name`: brings that
   * session's view of it to `seq`.
   */
  replay(session: SessionId, name: string, bytes: Uint8Array, seq: number): void;
  /**
   * What to present to the next hub: signed, opaque, replaces earlier ones. Given before the answer to the client's
   * hello, so that whoever was welcomed can be moved.
   */
  token(session: SessionId, token: string): void;
  /** Flushes and closes the client. Whatever was to be said has been sent before. */
  close(session: SessionId, code: ErrorCode | "bye"): void;
  /** The hub wants to be left: the edge moves its sessions to other hubs if it can. In-process edges tell the clients. */
  drain(): void;
}

/** What a hub tells of itself when it is asked whether it is well. */
export interface HubReport {
  readonly server: string;
  readonly cluster: string;
  readonly build: string;
  /** Sessions here, over all trunks. */
  readonly sessions: number;
  readonly rooms: number;
  /** Messages taken from clients since start. */
  readonly messages: number;
  readonly backplane: "ok" | "degraded" | "down";
  /** Last backplane round trip, ms. */
  readonly backplaneMs: number;
  readonly draining: boolean;
  /** Of the certificate that its server shows to clients who come to it directly; absent without TLS. */
  readonly certificate?: Validity | undefined;
}

/** A hub, as whoever accepts trunks sees it. */
export interface HubHost {
  /**
   * Attaches an edge.
   * @param edge what the hub will speak to
   * @returns what the edge speaks to, and a way to detach (all its sessions are gone at once, kept in grace)
   */
  attach(edge: EdgePort, name: string): { readonly port: HubPort; detach(): void };
  report(): HubReport;
}

/** What becomes of a trunk, told to the edge's side of it. After `gone` the hub says nothing more. */
export interface TrunkFate {
  /** More is on its way to the hub than should be: clients are not read until `eased`. They come in pairs. */
  pressed(): void;
  eased(): void;
  /** The hub is lost, or has left. Called once, unless the edge itself stopped the trunk. */
  gone(): void;
}

/** A trunk as its edge uses it, whichever form it has. */
export interface Trunk {
  /** Begins. Called once; from now on the hub may speak to `edge`, but not before this has returned. */
  start(edge: EdgePort, fate: TrunkFate): HubPort;
  /** The edge leaves the hub. The hub says nothing more. */
  stop(): void;
}
