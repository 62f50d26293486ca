/** Messages of a room's channel, as the scripts write them. */
import type { PresenceEvent } from "../backplane.ts";
import { deliveriesOf } from "../../protocol/deliveries.ts";
import type { Deliveries } from "../../protocol/deliveries.ts";

/** What a message says. `v` numbers the changes of members and records. */
export type RoomEvent =
  | { readonly kind: "entries"; readonly epoch: string; readonly entries: Deliveries }
  | { readonly kind: "presence"; readonly epoch: string; readonly v: number; readonly event: PresenceEvent }
  | {
      readonly kind: "record";
      readonly epoch: string;
      readonly v: number;
      readonly key: string;
      readonly value: string;
    }
  | { readonly kind: "epoch"; readonly epoch: string };

const NEWLINE = 0x0a;

/** Reads a message; undefined if it is none of ours. */
export function readEvent(message: Buffer): RoomEvent | undefined {
  const end = message.indexOf(NEWLINE);
  if (end === -1) return undefined;
  const [epoch = "", number, at, ...lengths] = message.toString("latin1", 1, end).split(" ");
  switch (message[0]) {
    case 0x45: // E
      return {
        kind: "entries",
        epoch,
        entries: readEntries(message, end + 1, Number(number), Number(at), lengths),
      };
    case 0x70: // p
      return { kind: "presence", epoch, v: Number(number), event: json(message, end) as PresenceEvent };
    case 0x72: // r
      return {
        kind: "record",
        epoch,
        v: Number(number),
        ...(json(message, end) as { key: string; value: string }),
      };
    case 0x78: // x
      return { kind: "epoch", epoch };
    default:
      return undefined;
  }
}

function readEntries(
  message: Buffer,
  start: number,
  first: number,
  at: number,
  lengths: readonly string[],
): Deliveries {
  let from = start;
  return deliveriesOf(
    lengths.map((length, index) => {
      const body = message.subarray(from, from + Number(length));
      from += body.length;
      return { seq: first + index, at, body };
    }),
  );
}

function json(message: Buffer, end: number): unknown {
  return JSON.parse(message.toString("utf8", end + 1));
}
