/**
 * From a server's line to a checked object.
 *
 * A client believes nothing that it did not check: the server may be another version, another program, or hostile. Known
 * types are checked field by field, with unknown fields kept (so that `--json` passes on what newer servers add);
 * unknown types are given as they are; what does not fit its type, or is not a JSON object, is `invalid` and has no
 * effect but a line in the log.
 */
import { z } from "zod";
import type { Message, ServerMessage } from "../protocol/messages.ts";

/** Made when the first line comes: a screen that starts has something on it by then. */
function makeSchemas() {
  const seq = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
  /** Within what a Date can hold: a time that is none would throw where it is shown. */
  const at = z.number().min(0).max(8.64e15);
  const id = z.string().exactOptional();
  const position = z.looseObject({ epoch: z.string(), seq });
  const nicks = z.array(z.string());
  const absences = z.record(z.string(), z.string()).exactOptional();
  const bots = nicks.exactOptional();
  const bot = z.literal(true).exactOptional();

  const chatMessage = z.looseObject({
    type: z.literal("message"),
    room: z.string(),
    seq,
    id,
    from: z.string(),
    at,
    text: z.string(),
    action: z.literal(true).exactOptional(),
    re: z.object({ kind: z.enum(["reply", "edit", "delete", "reaction"]), seq }).exactOptional(),
    by: z.string().exactOptional(),
  });

  return {
    welcome: z.looseObject({
      type: z.literal("welcome"),
      version: z.number(),
      server: z.string(),
      cluster: z.string(),
      session: z.string(),
      nick: z.string(),
      resume: z.string(),
      resumed: z.boolean(),
      inbox: position,
      away: z.string().exactOptional(),
      id,
    }),
    message: chatMessage,
    joined: z.looseObject({
      type: z.literal("joined"),
      room: z.string(),
      epoch: z.string(),
      seq,
      members: nicks,
      memberCount: z.number(),
      away: absences,
      bots,
      topic: z.string(),
      messages: z.array(chatMessage),
      recovered: z.boolean(),
      id,
    }),
    left: z.looseObject({ type: z.literal("left"), room: z.string(), id }),
    presence: z.looseObject({
      type: z.literal("presence"),
      room: z.string(),
      nick: z.string(),
      state: z.enum(["join", "leave", "rename"]),
      to: z.string().exactOptional(),
      bot,
    }),
    ack: z.looseObject({
      type: z.literal("ack"),
      id,
      room: z.string(),
      seq,
      at,
      duplicate: z.literal(true).exactOptional(),
      away: z.string().exactOptional(),
    }),
    history: z.looseObject({
      type: z.literal("history"),
      room: z.string(),
      epoch: z.string(),
      messages: z.array(chatMessage),
      more: z.boolean(),
      next: seq.exactOptional(),
      id,
    }),
    members: z.looseObject({
      type: z.literal("members"),
      room: z.string(),
      members: nicks,
      memberCount: z.number(),
      away: absences,
      bots,
      id,
    }),
    rooms: z.looseObject({
      type: z.literal("rooms"),
      rooms: z.array(z.looseObject({ room: z.string(), members: z.number(), topic: z.string() })),
      id,
    }),
    nick: z.looseObject({ type: z.literal("nick"), nick: z.string(), id }),
    topic: z.looseObject({
      type: z.literal("topic"),
      room: z.string(),
      text: z.string(),
      by: z.string(),
      at,
      id,
    }),
    found: z.looseObject({
      type: z.literal("found"),
      room: z.string(),
      epoch: z.string(),
      messages: z.array(chatMessage),
      looked: z.number(),
      more: z.boolean(),
      next: seq.exactOptional(),
      id,
    }),
    whois: z.looseObject({
      type: z.literal("whois"),
      nick: z.string(),
      connected: z.boolean(),
      away: z.string().exactOptional(),
      bot,
      rooms: z.array(z.string()),
      id,
    }),
    typing: z.looseObject({ type: z.literal("typing"), room: z.string(), nick: z.string(), id }),
    introduce: z.looseObject({ type: z.literal("introduce"), nick: z.string(), pair: z.string(), id }),
    introduction: z.looseObject({
      type: z.literal("introduction"),
      pair: z.string(),
      nick: z.string(),
      key: z.string().exactOptional(),
      addresses: z.array(z.string()).exactOptional(),
      seen: z.string().exactOptional(),
      pass: z.string().exactOptional(),
      end: z.literal(true).exactOptional(),
    }),
    relay: z.looseObject({
      type: z.literal("relay"),
      pair: z.string(),
      stream: z.string(),
      seq: seq.exactOptional(),
      data: z.string().exactOptional(),
      ack: seq.exactOptional(),
      end: z.literal(true).exactOptional(),
    }),
    operator: z.looseObject({ type: z.literal("operator"), id }),
    kick: z.looseObject({ type: z.literal("kick"), nick: z.string(), id }),
    ban: z.looseObject({ type: z.literal("ban"), who: z.string(), id }),
    unban: z.looseObject({ type: z.literal("unban"), address: z.string(), id }),
    bans: z.looseObject({
      type: z.literal("bans"),
      bans: z.array(
        z.looseObject({
          address: z.string(),
          by: z.string(),
          at,
          until: at.exactOptional(),
          reason: z.string().exactOptional(),
        }),
      ),
      id,
    }),
    read: z.looseObject({ type: z.literal("read"), positions: z.record(z.string(), position), id }),
    away: z.looseObject({
      type: z.literal("away"),
      room: z.string().exactOptional(),
      nick: z.string(),
      away: z.boolean(),
      text: z.string().exactOptional(),
      id,
    }),
    pong: z.looseObject({ type: z.literal("pong"), id }),
    "going-away": z.looseObject({
      type: z.literal("going-away"),
      afterMs: z.number().min(0),
      jitterMs: z.number().min(0),
    }),
    notice: z.looseObject({
      type: z.literal("notice"),
      code: z.enum(["holding", "restored"]),
      message: z.string(),
    }),
    error: z.looseObject({
      type: z.literal("error"),
      code: z.string(),
      message: z.string(),
      value: z.string().exactOptional(),
      afterMs: z.number().min(0).exactOptional(),
      id,
    }),
  } as const satisfies Record<ServerMessage["type"], z.ZodType<ServerMessage>>;
}

let made: ReturnType<typeof makeSchemas> | undefined;

/** What a line from a server turned out to be. */
export type Inbound =
  | { readonly kind: "message"; readonly message: ServerMessage }
  | { readonly kind: "unknown"; readonly object: Readonly<Record<string, unknown>> }
  | { readonly kind: "invalid"; readonly reason: string };

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Decodes and checks one line, without its newline. Never throws. */
export function parseServerLine(line: Uint8Array): Inbound {
  let object: unknown;
  try {
    object = JSON.parse(decoder.decode(line));
  } catch {
    return { kind: "invalid", reason: "the line is not JSON in UTF-8" };
  }
  if (typeof object !== "object" || object === null || Array.isArray(object)) {
    return { kind: "invalid", reason: "the line is not a JSON object" };
  }
  if (!("type" in object) || typeof object.type !== "string") {
    return { kind: "invalid", reason: "the object has no type" };
  }
  const schemas = (made ??= makeSchemas());
  if (!Object.hasOwn(schemas, object.type)) return { kind: "unknown", object: { ...object } };
  // hasOwn has just shown that it is a key.
  const result = schemas[object.type as keyof typeof schemas].safeParse(object);
  if (result.success) return { kind: "message", message: result.data };
  const issue = result.error.issues[0];
  return {
    kind: "invalid",
    reason: `${object.type}: field ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not valid"}`,
  };
}

/** A direct message belongs to the inbox's log, every other one to its room's. */
export function isDirect(message: Pick<Message, "room">): boolean {
  return message.room.startsWith("@");
}
