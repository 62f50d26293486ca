/** Messages of a room's channel, as the scripts write them. */
import type { LogEntry, PresenceEvent } from "../backplane.ts";

/** What a message says. `v` numbers the changes of members and records. */
export type RoomEvent =
  | { readonly kind: "entry"; readonly epoch: string; readonly entry: LogEntry }
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

/** Reads a message; undefined if it is none of ours. Bodies are slices of it. */
export function readEvent(message: Buffer): RoomEvent | undefined {
  const end = message.indexOf(NEWLINE);
  if (end === -1) return undefined;
  const [epoch = "", number, at] = message.toString("latin1", 1, end).split(" ");
  switch (message[0]) {
    case 0x65: // e
      return {
        kind: "entry",
        epoch,
        entry: { seq: Number(number), at: Number(at), body: message.subarray(end + 1) },
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

function json(message: Buffer, end: number): unknown {
  return JSON.parse(message.toString("utf8", end + 1));
}
