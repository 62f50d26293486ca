/**
 * What a hub says, as bytes.
 *
 * A stored body is the fields of a `message` that do not depend on its place in the log, as JSON without braces, and a
 * delivery is made of it without parsing (protocol/deliveries.ts). History is made of deliveries put between commas.
 */
import { digitsOf, encodeAt, writeDigits } from "../protocol/deliveries.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Message, ServerMessage } from "../protocol/messages.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** No bytes. */
export const NOTHING = new Uint8Array(0);

/** One object as a line with its newline. */
export function encodeLine(message: ServerMessage): Uint8Array {
  return encoder.encode(`${JSON.stringify(message)}\n`);
}

/** `{id}`, or nothing: an answer carries the request's id if there was one. */
export function withId(id: string | undefined): { readonly id?: string } {
  return id === undefined ? {} : { id };
}

/** An error as a line. */
export function encodeError(
  code: ErrorCode,
  message: string,
  id?: string,
  { value, afterMs }: { readonly value?: string | undefined; readonly afterMs?: number | undefined } = {},
): Uint8Array {
  return encodeLine({
    type: "error",
    ...withId(id),
    code,
    message,
    ...(value === undefined ? {} : { value }),
    ...(afterMs === undefined ? {} : { afterMs }),
  });
}

/** What a message may have beside its text. */
export type MessageExtras = Pick<Message, "action" | "re" | "by">;

/** What of a message is stored: its fields but `type`, `seq` and `at`, without braces, `room` first. */
export function encodeBody(
  room: string,
  id: string | undefined,
  from: string,
  text: string,
  extras?: MessageExtras,
): Uint8Array {
  // Names are letters, digits, `-` and `_`: nothing that JSON escapes.
  const key = id === undefined ? "" : `"id":${JSON.stringify(id)},`;
  const more = extras === undefined ? "" : moreFields(extras);
  return encoder.encode(`"room":"${room}",${key}"from":"${from}",${more}"text":${JSON.stringify(text)}`);
}

/** A body's field that names the sender, with a comma behind it. */
export function encodeFrom(nick: string): Uint8Array {
  return encoder.encode(`"from":"${nick}",`);
}

/** Extras as fields with a comma behind them; none for none. */
function moreFields(extras: MessageExtras): string {
  const fields = JSON.stringify(extras).slice(1, -1);
  return fields === "" ? "" : `${fields},`;
}

/** `room` of a stored body, without parsing it: names have nothing that JSON escapes. */
export function bodyRoom(body: Uint8Array): string {
  return decoder.decode(body.subarray(8, body.indexOf(0x22, 8)));
}

/** What is compared of a stored body. */
export interface StoredMessage extends MessageExtras {
  readonly room: string;
  readonly from: string;
  readonly id?: string;
  readonly text: string;
}

/** A stored body, parsed. Bodies are of our own making, on this server or another. */
export function readBody(body: Uint8Array): StoredMessage {
  return JSON.parse(`{${decoder.decode(body)}}`) as StoredMessage;
}

const ACK = encoder.encode('{"type":"ack","seq":');

/**
 * The `ack` of a message, as a line.
 * @param body the message's; its first `envelope` bytes are its room and its id, with a comma behind each
 */
export function encodeAck(body: Uint8Array, envelope: number, seq: number, at: number): Uint8Array {
  const field = encodeAt(at);
  const line = new Uint8Array(ACK.length + digitsOf(seq) + field.length + envelope + 1);
  line.set(ACK);
  let end = ACK.length + digitsOf(seq);
  writeDigits(line, end, seq);
  line.set(field, end);
  end += field.length;
  // By hand: a view of a few bytes costs more than they do.
  for (let from = 0; from < envelope - 1; from += 1) line[end + from] = body[from] ?? 0;
  line[line.length - 2] = 0x7d; // }
  line[line.length - 1] = 0x0a;
  return line;
}

/** The byte length of all lines. */
export function sizeOf(lines: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const line of lines) bytes += line.length;
  return bytes;
}

/** Lines one after the other. */
export function joinLines(lines: readonly Uint8Array[]): Uint8Array {
  const [only] = lines;
  if (only === undefined) return NOTHING;
  return lines.length === 1 ? only : Buffer.concat(lines);
}

/**
 * An object with `messages`, as a line.
 * @param head its other fields
 * @param lines delivered lines, each of which becomes an element
 */
export function encodeWithMessages(head: object, lines: readonly Uint8Array[]): Uint8Array {
  const pieces: Uint8Array[] = [encoder.encode(`${JSON.stringify(head).slice(0, -1)},"messages":[`)];
  for (const [index, line] of lines.entries()) {
    if (index > 0) pieces.push(COMMA);
    pieces.push(line.subarray(0, -1));
  }
  pieces.push(END);
  return Buffer.concat(pieces);
}

const COMMA = encoder.encode(",");
const END = encoder.encode("]}\n");
