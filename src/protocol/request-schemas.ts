/**
 * What a client may say, field by field. Requests are validated here and nowhere else (requests.ts asks); unknown fields
 * are dropped, unknown types refused, so that versions can grow.
 */
import { z } from "zod";
import { clientLimits, introductionLimits } from "./limits.ts";
import { operatorLimits } from "./limits.operators.ts";

const seq = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** Two ids that differ only in unpaired surrogates would be the same key once they are bytes. */
const id = z
  .string()
  .min(1)
  .max(clientLimits.idLength)
  .refine((text) => text.isWellFormed(), "has an unpaired surrogate; send well-formed Unicode");
/** Most characters of a name, room or nick, in a request. Only bounded here; names.ts gives the precise refusal. */
export const NAME_BOUND = 256;
/** Most characters of a resume token, and of a client program's name. */
export const RESUME_BOUND = 1_024;
export const CLIENT_BOUND = 64;
const name = z.string().max(NAME_BOUND);
const text = z.string();
/** What is told to somebody who is put out; operators are trusted, but not with pages. */
const reason = z.string().max(operatorLimits.reasonLength);
const position = z.object({ epoch: z.string().min(1).max(64), seq });
const request = { id: id.optional() };
/** What a message is about: another message of the same room or conversation. */
export const aboutSchema = z.object({
  kind: z.enum(["reply", "edit", "delete", "reaction"]),
  seq: seq.min(1),
});
/** A peer ID in its canonical form (identity/peer-id.ts checks its check symbols). */
const peerKey = z.string().regex(/^rt1[02-9ac-hj-np-z]{59}$/, "not a peer ID");
/** base64url of a SHA-256. */
const author = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

/** Schemas of every request, by type. */
export const requestSchemas = {
  hello: z.object({
    ...request,
    type: z.literal("hello"),
    version: z.number(),
    nick: name,
    /** The `resume` of an earlier `welcome`: the session, its nick and its idempotency keys go on. */
    resume: z.string().max(RESUME_BOUND).optional(),
    /** The client program and its version, for operators. */
    client: z.string().max(CLIENT_BOUND).optional(),
    /** A program that nobody sits at: a new session is marked as one. */
    bot: z.boolean().optional(),
  }),
  join: z.object({
    ...request,
    type: z.literal("join"),
    room: name,
    history: z.number().int().min(0).max(clientLimits.historyMost).default(clientLimits.historyDefault),
    since: position.optional(),
  }),
  leave: z.object({ ...request, type: z.literal("leave"), room: name }),
  send: z.object({
    type: z.literal("send"),
    room: name,
    id: id.optional(),
    text,
    /** Something done rather than said: `/me waves`. */
    action: z.literal(true).optional(),
    re: aboutSchema.optional(),
    /** The author's mark: the hash of a secret that only the author knows. */
    by: author.optional(),
    /** That secret, for an edit or a deletion; never passed on. */
    proof: z.string().min(16).max(128).optional(),
  }),
  history: z.object({
    ...request,
    type: z.literal("history"),
    room: name,
    before: seq.optional(),
    after: seq.optional(),
    limit: z.number().int().min(1).max(clientLimits.historyMost).default(clientLimits.historyDefault),
  }),
  members: z.object({ ...request, type: z.literal("members"), room: name }),
  rooms: z.object({ ...request, type: z.literal("rooms") }),
  nick: z.object({ ...request, type: z.literal("nick"), nick: name }),
  topic: z.object({ ...request, type: z.literal("topic"), room: name, text }),
  search: z.object({
    ...request,
    type: z.literal("search"),
    room: name,
    /** May be empty with `from`. */
    words: z.string().max(200),
    from: name.optional(),
    before: seq.optional(),
    limit: z.number().int().min(1).max(clientLimits.historyMost).default(clientLimits.historyDefault),
  }),
  whois: z.object({ ...request, type: z.literal("whois"), nick: name }),
  typing: z.object({ ...request, type: z.literal("typing"), room: name }),
  introduce: z.object({
    ...request,
    type: z.literal("introduce"),
    to: name,
    /** Only if the nick still is of the session that this pair is with: for what nobody else may know. */
    pair: z.string().max(64).optional(),
    /** With it: I agree to talk directly, and this is my key. Without: I ask. */
    key: peerKey.optional(),
    /** Where I can be reached, `ip:port`; only with `key`. */
    addresses: z.array(z.string().min(1).max(64)).max(introductionLimits.addressesTold).optional(),
    /** No, or no longer. */
    end: z.literal(true).optional(),
  }),
  relay: z.object({
    ...request,
    type: z.literal("relay"),
    pass: z.string().max(512),
    stream: z.string().min(1).max(32),
    seq: seq.optional(),
    /** base64 of bytes that only the other side can read. */
    data: z.string().max(introductionLimits.relayFrameCharacters).optional(),
    ack: seq.optional(),
    end: z.literal(true).optional(),
  }),
  identify: z.object({ ...request, type: z.literal("identify"), secret: z.string().min(32).max(128) }),
  read: z.object({ ...request, type: z.literal("read"), room: name, position }),
  away: z.object({ ...request, type: z.literal("away"), away: z.boolean(), text: text.optional() }),
  operator: z.object({
    ...request,
    type: z.literal("operator"),
    secret: z.string().min(operatorLimits.secretLeast).max(operatorLimits.secretMost),
  }),
  kick: z.object({ ...request, type: z.literal("kick"), nick: name, reason: reason.optional() }),
  ban: z.object({
    ...request,
    type: z.literal("ban"),
    /** A nick, whose address is meant, or an address or network. */
    who: z.string().min(1).max(64),
    /** For good without. */
    seconds: z.number().int().min(1).max(operatorLimits.banSeconds).optional(),
    reason: reason.optional(),
  }),
  unban: z.object({ ...request, type: z.literal("unban"), address: z.string().min(1).max(64) }),
  bans: z.object({ ...request, type: z.literal("bans") }),
  ping: z.object({ ...request, type: z.literal("ping") }),
  bye: z.object({ ...request, type: z.literal("bye") }),
} as const;
