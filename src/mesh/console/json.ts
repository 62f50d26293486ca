/**
 * JSON mode: every event as one object a line, and what may be written on stdin.
 *
 * The objects are those of the client protocol where there is an equal (`message`, `ack`, `topic`, `error`), with the
 * author's peer ID beside the name, because a name alone proves nothing here. Nothing is sanitised: programs get what
 * was written, escaped as JSON.
 */
import { z } from "zod";
import { formatAddress } from "../../protocol/address.ts";
import type { PeerId, TimelineItem } from "../core/api.ts";
import { explainFailure } from "../link/failures.ts";
import type { NodeEvent } from "../node/events.ts";
import type { PeerView } from "../node/views.ts";
import { isTrusted } from "./names.ts";
import type { Look } from "./format.ts";

/** What a program may write on stdin, one object a line; other lines are text for the current room. */
export const jsonInputSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("send"), room: z.string().min(1), text: z.string() }),
  z.object({ type: z.literal("join"), room: z.string().min(1) }),
  z.object({ type: z.literal("topic"), room: z.string().min(1), text: z.string() }),
  z.object({ type: z.literal("nick"), nick: z.string() }),
  z.object({
    type: z.literal("history"),
    room: z.string().min(1),
    limit: z.int().min(1).max(1_000).default(50),
  }),
  z.object({ type: z.literal("peers") }),
  z.object({ type: z.literal("invite") }),
  z.object({ type: z.literal("bye") }),
]);

/** See {@link jsonInputSchema}. */
export type JsonInput = z.infer<typeof jsonInputSchema>;

const who = (peerId: PeerId, look: Look) => {
  const peer = look(peerId);
  return { from: peer?.nick ?? "", peer: peerId, verified: peer !== undefined && isTrusted(peer) };
};

/** A message of a timeline. `room` is `@nick` for a direct one, as in the client protocol. */
export function messageObject(item: TimelineItem, look: Look): object {
  const room =
    "room" in item.place ? item.place.room : `@${look(item.place.direct)?.nick ?? item.place.direct}`;
  const type = item.kind === "topic" ? "topic" : "message";
  const action = item.kind === "action" ? { action: true } : {};
  const forked = item.forked ? { forked: true } : {};
  return {
    type,
    room,
    id: item.hash,
    ...who(item.author, look),
    at: item.at,
    text: item.text,
    ...action,
    ...forked,
  };
}

/** A row of `peers`. */
export function peerObject(peer: PeerView): object {
  return {
    peer: peer.peerId,
    nick: peer.nick ?? null,
    presence: peer.presence,
    path: peer.path ?? null,
    via: peer.via,
    roundTripMs: peer.roundTripMs ?? null,
    verified: peer.known?.verifiedAt !== undefined,
    learned: peer.known?.learned ?? null,
    role: peer.role,
    removed: peer.removedBy !== undefined,
  };
}

/** The objects for an event; none for those that only matter to screens. */
export function eventObjects(event: NodeEvent, look: Look): object[] {
  switch (event.type) {
    case "inserted":
      return event.insertions.map(({ item, earlier }) => ({
        ...messageObject(item, look),
        ...(earlier ? { earlier } : {}),
      }));
    case "listening":
      return [{ type: "listening", port: event.port }];
    case "mesh":
      return [{ type: "mesh", how: event.how, by: event.by ?? null }];
    case "admitted":
      return [{ type: "admitted", peer: event.peerId, learned: event.learned }];
    case "linked":
      return [
        { type: "linked", peer: event.peerId, nick: look(event.peerId)?.nick ?? null, path: event.path },
      ];
    case "unlinked":
      return [
        {
          type: "unlinked",
          peer: event.peerId,
          code: event.failure.code,
          message: explainFailure(event.failure.code),
        },
      ];
    case "dial-failed": {
      const { code, detail } = event.failure;
      return [
        {
          type: "dial-failed",
          address: formatAddress(event.address),
          code,
          message: explainFailure(code),
          detail,
        },
      ];
    }
    case "key-changed":
      return [
        {
          type: "key-changed",
          address: formatAddress(event.address),
          known: event.known,
          found: event.found,
        },
      ];
    case "turned-away":
      return [
        {
          type: "turned-away",
          address: formatAddress(event.remote),
          peer: event.peerId ?? null,
          code: event.failure.code,
        },
      ];
    case "forked":
      return [{ type: "forked", peer: event.peerId, self: event.self }];
    case "fault":
      return [
        { type: "fault", peer: event.fault.peerId, code: event.fault.code, message: event.fault.detail },
      ];
    case "store-failed":
      return [{ type: "error", code: "store-failed", message: event.message }];
    case "clock-skew":
      return [{ type: "clock-skew", peer: event.peerId, aheadMs: event.aheadMs }];
    case "members":
    case "topic":
    case "holdings":
      return [];
  }
}
