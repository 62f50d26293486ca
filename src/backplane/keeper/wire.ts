/**
 * What servers and the keeper say to each other over the Unix socket, in frames of protocol/frames.ts.
 *
 * A server says Hello with its sessions, subscribes, and asks; each question has a number, and is answered by Published,
 * Answer or Failed with that number. Rooms are named by text towards the keeper and by a number (given with the
 * snapshot) from it. Both sides are ours and of one build or nearly so, so JSON here is trusted to have its shape once
 * Hello has checked the version; the socket is in a directory that only its owner may enter.
 */
import type { BackplaneFailure, Member, RoomSummary, Snapshot } from "../backplane.ts";
import type { Announced } from "../cluster.ts";

/** Raised when frames change: servers of another version in the same directory are refused by name. */
export const KEEPER_VERSION = 5;

/** Operations, server to keeper below 32. */
export const Op = {
  /** JSON {@link Hello}: first frame. */
  Hello: 1,
  /** One or more publishes (publications.ts). */
  Publish: 2,
  /** u32 number, room. */
  Subscribe: 3,
  /** Room. */
  Unsubscribe: 4,
  /** u32 number, field session, nick. */
  Claim: 5,
  /** Session. */
  Release: 6,
  /** u32 number, nick. */
  Lookup: 7,
  /** u32 number, field room, session. */
  Enter: 8,
  /** u32 number, field room, session. */
  Leave: 9,
  /** u32 number, JSON RecordChange. */
  SetRecord: 10,
  /** u32 number, u32 limit. */
  Rooms: 11,
  /** Field session, payload. */
  Tell: 12,
  /** u32 number: answered by Pong with the same. */
  Ping: 13,
  /** u8: 1 to end the server's sessions, 0 to leave them in grace. The last frame; answered by Farewell. */
  Goodbye: 14,
  /** u32 number, u8 away, field session, text. */
  SetAway: 15,
  /** u32 number, field reader, field room, field epoch, f64 seq. */
  RaiseMark: 16,

  /** JSON {@link Welcome}: the answer to Hello. */
  Welcome: 32,
  /** A sentence: the answer to a Hello that cannot be served; the connection closes. */
  Refuse: 33,
  /** One or more runs: u32 number of the first, u32 how many consecutive ones, u8 duplicate, f64 at, f64 seq of each. */
  Published: 34,
  /** u32 number, JSON: what the question's `done` is given besides `ok`. */
  Answer: 35,
  /** u32 number, JSON {code, message}. */
  Failed: 36,
  /** u32 number, u32 room, JSON {@link WireSnapshot}. */
  Snapshot: 37,
  /** u32 room, f64 seq of the first, u32 how many, then the consecutive entries as lines for clients. */
  Entries: 38,
  /** u32 room, JSON PresenceEvent. */
  Presence: 39,
  /** u32 room, field key, value. */
  Record: 40,
  /** Session. */
  Taken: 41,
  /** Field session, payload. */
  Told: 42,
  /** u32 number. */
  Pong: 43,
  /** A sentence on why the store cannot be written now, empty when it can. */
  Status: 44,
  /** Nothing: the keeper is there. */
  Beat: 45,
  /** Nothing: the goodbye has been heard. What is behind it was asked before. */
  Farewell: 46,
} as const;

/** How a server introduces itself. */
export interface Hello {
  readonly version: number;
  /** This server's id: one for the life of its process. */
  readonly server: string;
  /** It wants every commit synced. */
  readonly power: boolean;
  readonly sessions: readonly Announced[];
}

/** How the keeper answers. */
export interface Welcome {
  readonly term: number;
  readonly cluster: string;
  readonly epoch: string;
}

/** A snapshot with JSON's means. */
export interface WireSnapshot {
  readonly seq: number;
  readonly members: readonly Member[];
  readonly records: readonly (readonly [string, string])[];
}

/** A room's summary with JSON's means. */
export interface WireSummary {
  readonly room: string;
  readonly members: number;
  readonly records: readonly (readonly [string, string])[];
}

/** A failure with JSON's means. */
export type WireFailure = Omit<BackplaneFailure, "ok">;

export function toWire({ position, members, records }: Snapshot): WireSnapshot {
  return { seq: position.seq, members, records: [...records] };
}

/** Shared by all rooms without records, most of which are inboxes. */
const NO_RECORDS: ReadonlyMap<string, string> = new Map();

export function fromWire({ seq, members, records }: WireSnapshot, epoch: string): Snapshot {
  return { position: { epoch, seq }, members, records: records.length === 0 ? NO_RECORDS : new Map(records) };
}

export function summaryToWire({ room, members, records }: RoomSummary): WireSummary {
  return { room, members, records: [...records] };
}

export function summaryFromWire({ room, members, records }: WireSummary): RoomSummary {
  return { room, members, records: new Map(records) };
}
