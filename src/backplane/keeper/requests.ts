/**
 * What the keeper does with each frame of a server: decode, ask the ClusterState, write the answer.
 *
 * Everything here happens inside a transaction. Nothing is sent before it is committed: answers and events are written
 * to the peers' writers, which are emptied unsent when the transaction fails.
 */
import { DeliveryWriter } from "../../protocol/deliveries.ts";
import type { FrameReader, Part } from "../../protocol/frames.ts";
import type { BackplaneFailure, RecordChange } from "../backplane.ts";
import { checkSizes } from "../failures.ts";
import type { Announcer } from "../cluster.ts";
import type { Announced } from "../cluster.ts";
import type { ClusterState } from "../state.ts";
import type { Peer } from "./peer.ts";
import type { KeysAhead } from "./keys-ahead.ts";
import { Op, summaryToWire, toWire } from "./wire.ts";

/** The cluster, as the keeper has it: keys and bodies are parts of what came from a server. */
export type KeeperState = ClusterState<Peer, Part, Part>;

const deliveries = new DeliveryWriter();

/** Writes what happens to those who have subscribed. */
export const announcer: Announcer<Peer, Part> = {
  entry({ id, subscribers }, { seq, at, body }) {
    if (subscribers.length === 0) return;
    const line = deliveries.line(seq, at, body);
    for (const peer of subscribers) peer.entry(id, seq, line);
  },
  presence({ id, subscribers }, event) {
    for (const { writer } of subscribers) writer.begin(Op.Presence).u32(id).json(event).end();
  },
  record({ id, subscribers }, key, value) {
    for (const { writer } of subscribers) writer.begin(Op.Record).u32(id).field(key).text(value).end();
  },
  taken({ writer }, session) {
    writer.begin(Op.Taken).text(session).end();
  },
  told({ writer }, session, payload) {
    writer.begin(Op.Told).field(session).text(payload).end();
  },
};

/** Operations that carry a number and get an answer. */
const asked: ReadonlySet<number> = new Set([
  Op.Subscribe,
  Op.Claim,
  Op.SetAway,
  Op.Lookup,
  Op.Enter,
  Op.Leave,
  Op.SetRecord,
  Op.RaiseMark,
  Op.Rooms,
]);

/** Operations that only read, and are served while the store cannot be written. */
export const readOnly: ReadonlySet<number> = new Set([
  Op.Subscribe,
  Op.Unsubscribe,
  Op.Lookup,
  Op.Rooms,
  Op.Tell,
  Op.Ping,
]);

/** What ends or brings back sessions: if its transaction fails it is done later, because nobody will ask again. */
export type Ending =
  | { readonly session: string }
  | { readonly release: boolean }
  | { readonly announced: readonly Announced[] };

/** What one turn has taken on, to be refused if its transaction fails. */
export class TurnRecord {
  readonly #peers: Peer[] = [];
  readonly #numbers: number[] = [];
  readonly endings: { readonly peer: Peer; readonly ending: Ending }[] = [];

  add(peer: Peer, number: number): void {
    this.#peers.push(peer);
    this.#numbers.push(number);
  }

  /** How many questions are taken on. */
  get size(): number {
    return this.#peers.length;
  }

  /** Those after the first `size` have been answered. */
  answered(size: number): void {
    this.#peers.length = size;
    this.#numbers.length = size;
  }

  clear(): void {
    this.#peers.length = 0;
    this.#numbers.length = 0;
    this.endings.length = 0;
  }

  refuse(failure: BackplaneFailure): void {
    for (const [index, peer] of this.#peers.entries()) peer.fail(this.#numbers[index] ?? 0, failure);
    this.#peers.length = 0;
    this.#numbers.length = 0;
  }
}

/**
 * Serves one frame after Hello.
 * @throws SQLiteError; RangeError and SyntaxError on a frame that cannot be read
 */
export function serve(
  state: KeeperState,
  peer: Peer,
  reader: FrameReader,
  record: TurnRecord,
  ahead: KeysAhead,
): void {
  if (asked.has(reader.op)) {
    const number = reader.u32();
    record.add(peer, number);
    answer(state, peer, reader, number);
    return;
  }
  switch (reader.op) {
    case Op.Publish: {
      peer.publications.foretell(reader, ahead);
      while (!reader.isAtEnd) publish(state, peer, reader, record);
      return;
    }
    case Op.Unsubscribe: {
      const room = reader.text();
      peer.rooms.delete(room);
      state.unsubscribe(peer, room);
      return;
    }
    case Op.Release: {
      const session = reader.text();
      record.endings.push({ peer, ending: { session } });
      state.release(peer, session);
      return;
    }
    case Op.Tell: {
      state.tell(reader.field(), reader.text());
      return;
    }
    case Op.Ping: {
      peer.writer.begin(Op.Pong).u32(reader.u32()).end();
      return;
    }
    case Op.Goodbye: {
      const release = reader.u8() === 1;
      record.endings.push({ peer, ending: { release } });
      state.vanish(peer, release);
      peer.leave();
      return;
    }
    default:
      throw new RangeError(`unknown operation ${reader.op}`);
  }
}

function answer(state: KeeperState, peer: Peer, reader: FrameReader, number: number): void {
  switch (reader.op) {
    case Op.Subscribe: {
      const name = reader.text();
      peer.rooms.add(name);
      const snapshot = toWire(state.subscribe(peer, name));
      peer.writer.begin(Op.Snapshot).u32(number).u32(state.room(name).id).json(snapshot).end();
      return;
    }
    case Op.Claim: {
      const fence = reader.f64();
      const result = state.claim(peer, reader.field(), reader.text(), fence);
      if (result.ok) peer.answer(number, { rooms: result.rooms, away: result.away });
      else peer.fail(number, result);
      return;
    }
    case Op.SetAway: {
      const away = reader.u8() === 1;
      const session = reader.field();
      settle(peer, number, state.setAway(peer, session, away ? reader.text() : undefined));
      return;
    }
    case Op.Lookup: {
      peer.answer(number, { member: state.lookup(reader.text()) });
      return;
    }
    case Op.Enter: {
      settle(peer, number, state.enter(peer, reader.field(), reader.text()));
      return;
    }
    case Op.Leave: {
      state.leave(peer, reader.field(), reader.text());
      peer.answer(number, {});
      return;
    }
    case Op.SetRecord: {
      settle(peer, number, state.setRecord(peer, reader.json() as RecordChange));
      return;
    }
    case Op.RaiseMark: {
      const name = reader.field();
      state.raiseMark(name, { room: reader.field(), epoch: reader.field(), seq: reader.f64() });
      peer.answer(number, {});
      return;
    }
    case Op.Rooms: {
      peer.answer(number, { rooms: state.rooms(reader.u32()).map(summaryToWire) });
      return;
    }
    default:
      throw new RangeError(`unknown operation ${reader.op}`);
  }
}

function settle(peer: Peer, number: number, failure: BackplaneFailure | undefined): void {
  if (failure === undefined) peer.answer(number, {});
  else peer.fail(number, failure);
}

function publish(state: KeeperState, peer: Peer, reader: FrameReader, record: TurnRecord): void {
  const number = reader.u32();
  const publication = peer.publications.read(reader);
  record.add(peer, number);
  const { room, body, copy } = publication;
  // How many characters the key has, its server has looked at.
  const refusal = checkSizes(
    Math.max(body.length, copy?.body.length ?? 0),
    Math.max(room.length, copy?.room.length ?? 0),
  );
  if (refusal !== undefined) return peer.fail(number, refusal);
  peer.published(number, state.publish(publication));
  if (!peer.publications.isStored) peer.publications.stored(state.room(room).id);
}

/**
 * Takes a frame, or what is left of it, on without doing it, because the store cannot be written: who asked is recorded,
 * to be refused, and what ends sessions is recorded to be done later.
 */
export function postpone(peer: Peer, reader: FrameReader, record: TurnRecord): void {
  if (asked.has(reader.op)) return record.add(peer, reader.u32());
  switch (reader.op) {
    case Op.Publish:
      while (!reader.isAtEnd) {
        record.add(peer, reader.u32());
        // It may name rooms, which must be known when the store works again.
        peer.publications.read(reader);
      }
      break;
    case Op.Release:
      record.endings.push({ peer, ending: { session: reader.text() } });
      break;
    case Op.Goodbye:
      record.endings.push({ peer, ending: { release: reader.u8() === 1 } });
      peer.leave();
      break;
    case Op.Ping:
      peer.writer.begin(Op.Pong).u32(reader.u32()).end();
      break;
    case Op.Unsubscribe:
      peer.rooms.delete(reader.text());
      break;
    case Op.Tell:
      // Words are lost when nobody can be reached: that is their contract.
      break;
    default:
      throw new RangeError(`unknown operation ${reader.op}`);
  }
}
