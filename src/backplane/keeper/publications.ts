/**
 * Publishes on the wire, both ends: those that a server writes one after the other are one frame, and rooms are named once
 * a connection.
 *
 *   a publish: u32 number | u8 flags | room | field key | [room of the copy | u32 length, its body] | u32 length, body
 *   a room: u32 number, with a flag for it: field name
 *
 * A busy server publishes to the same rooms thousands of times a second, so a room's name is said with its first publish
 * and is a number from then on. The keeper reads nothing into objects of its own: key and bodies are told as parts of the
 * chunk they came in, which the store hashes and copies from there.
 *
 * Invariant: both ends see the same frames in the same order, so a number means the same room to both. A server that has
 * given all numbers begins again with the first, and says names anew.
 */
import type { FrameReader, FrameWriter, Part } from "../../protocol/frames.ts";
import { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { Publication } from "../backplane.ts";
import type { KeysAhead } from "./keys-ahead.ts";
import { Op } from "./wire.ts";

const HAS_COPY = 1;
const NAMES_ROOM = 2;
const NAMES_COPY = 4;

/** A publication as the keeper reads it. */
export interface ReadPublication {
  readonly room: string;
  readonly key: Part;
  readonly body: Part;
  readonly copy: { readonly room: string; readonly body: Part } | undefined;
}

/** The server's end. */
export class PublicationWriter {
  readonly #numbers = new Map<string, number>();
  readonly #mostRooms: number;
  /** The last frame of publishes, and where it is long enough. */
  #frame = -1;
  #most = 0;

  constructor(mostRooms: number = keeperLimits.roomNumbers) {
    this.#mostRooms = mostRooms;
  }

  /** Another connection: nothing has been named. */
  startOver(): void {
    this.#numbers.clear();
    this.#frame = -1;
  }

  /** Writes a publish, into the last frame if nothing else has been written since. */
  write(writer: FrameWriter, number: number, { room, key, body, copy }: Publication): void {
    if (writer.frame !== this.#frame || writer.length > this.#most) {
      this.#most = writer.length + keeperLimits.publishesBytes;
      this.#frame = writer.begin(Op.Publish).frame;
    }
    // Room for both, or else the copy's number could be the room's.
    if (this.#numbers.size + 2 > this.#mostRooms) this.#numbers.clear();
    const roomNumber = this.#numbers.get(room);
    const copyNumber = copy === undefined || copy.room === room ? undefined : this.#numbers.get(copy.room);
    let flags = copy === undefined ? 0 : HAS_COPY;
    if (roomNumber === undefined) flags |= NAMES_ROOM;
    if (copy !== undefined && copy.room !== room && copyNumber === undefined) flags |= NAMES_COPY;
    writer.u32(number).u8(flags);
    this.#room(writer, room, roomNumber);
    writer.field(key);
    if (copy !== undefined) {
      this.#room(writer, copy.room, copy.room === room ? this.#numbers.get(room) : copyNumber);
      writer.u32(copy.body.length).bytes(copy.body);
    }
    writer.u32(body.length).bytes(body).end();
  }

  #room(writer: FrameWriter, room: string, known: number | undefined): void {
    if (known !== undefined) {
      writer.u32(known);
      return;
    }
    const number = this.#numbers.size;
    this.#numbers.set(room, number);
    writer.u32(number).field(room);
  }
}

class MutablePart implements Part {
  buffer: Buffer = Buffer.alloc(0);
  start = 0;
  length = 0;

  read(reader: FrameReader): this {
    this.length = reader.u32();
    this.start = reader.skip(this.length);
    this.buffer = reader.buffer;
    return this;
  }
}

/** The keeper's end, of one connection. */
export class PublicationReader {
  readonly #rooms: string[] = [];
  readonly #mostRooms: number;
  /** The numbers that the store has for the rooms, as far as they are known; the same places. */
  readonly #ids: (number | undefined)[] = [];
  /** Of the last publish. */
  #number = 0;
  readonly #key = new MutablePart();
  readonly #body = new MutablePart();
  readonly #copy = { room: "", body: new MutablePart() };
  /** One object for all: thousands come in a turn. */
  readonly #publication: { -readonly [Name in keyof ReadPublication]: ReadPublication[Name] } = {
    room: "",
    key: this.#key,
    body: this.#body,
    copy: undefined,
  };

  constructor(mostRooms: number = keeperLimits.roomNumbers) {
    this.#mostRooms = mostRooms;
  }

  /**
   * Reads a publish after its number.
   * @returns what is valid until the next call
   * @throws RangeError when it cannot be read
   */
  read(reader: FrameReader): ReadPublication {
    const publication = this.#publication;
    const flags = reader.u8();
    const number = reader.u32();
    this.#number = number;
    publication.room = this.#room(reader, number, (flags & NAMES_ROOM) !== 0);
    this.#key.read(reader);
    publication.copy = undefined;
    if ((flags & HAS_COPY) !== 0) {
      this.#copy.room = this.#room(reader, reader.u32(), (flags & NAMES_COPY) !== 0);
      this.#copy.body.read(reader);
      publication.copy = this.#copy;
    }
    this.#body.read(reader);
    return publication;
  }

  /**
   * Tells the keys of a frame's publishes, as long as their rooms are known by {@link stored}, and reads nothing.
   * @throws RangeError when one cannot be read
   */
  foretell(reader: FrameReader, to: KeysAhead): void {
    const from = reader.position;
    to.begin(reader.buffer);
    while (!reader.isAtEnd && !to.isFull) {
      // Its number: of nobody's interest yet.
      reader.u32();
      const flags = reader.u8();
      if ((flags & (NAMES_ROOM | NAMES_COPY)) !== 0) break;
      const id = this.#ids[reader.u32()];
      this.#key.read(reader);
      if (id !== undefined) to.add(id, this.#key);
      if ((flags & HAS_COPY) !== 0) {
        reader.u32();
        reader.skip(reader.u32());
      }
      reader.skip(reader.u32());
    }
    reader.position = from;
    to.look();
  }

  /** Whether the store's number for the last publish's room is known. */
  get isStored(): boolean {
    return this.#ids[this.#number] !== undefined;
  }

  /** The store's number for the last publish's room. It never changes, because there is an entry of it now. */
  stored(id: number): void {
    this.#ids[this.#number] = id;
  }

  #room(reader: FrameReader, number: number, named: boolean): string {
    if (!named) {
      const room = this.#rooms[number];
      if (room === undefined) throw new RangeError(`room ${number} has not been named`);
      return room;
    }
    if (number > this.#rooms.length || number >= this.#mostRooms) {
      throw new RangeError(`room ${number} is named out of turn`);
    }
    const room = reader.field();
    this.#rooms[number] = room;
    this.#ids[number] = undefined;
    return room;
  }
}
