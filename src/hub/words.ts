/**
 * Words from one session to another, mostly from another hub of the cluster: small, unordered, lost without harm.
 *
 * A word to a session of this hub takes no way around the backplane, but is heard here like all others.
 */
import { z } from "zod";
import { encodeLine } from "./encode.ts";
import type { Core } from "./core.ts";
import { pairOf } from "./pass.ts";
import { putOut } from "./put-out.ts";

const flag = z.literal(true).exactOptional();
const number = z.number().exactOptional();
const text = z.string().exactOptional();

const typing = z.object({ room: z.string(), nick: z.string() });
const introduction = z.object({
  /** The session whose word it is. */
  from: z.string(),
  nick: z.string(),
  key: text,
  addresses: z.array(z.string()).exactOptional(),
  seen: text,
  pass: text,
  end: flag,
});
/** The address is refused from now on. */
const ban = z.object({
  by: z.string(),
  seconds: number,
  /** The operator's own host, which is not. */
  spared: z.string(),
  /** See RecordChange. */
  once: z.string(),
});
const relay = z.object({
  from: z.string(),
  stream: z.string(),
  seq: number,
  data: text,
  ack: number,
  end: flag,
});
const out = z.object({
  reason: text,
  ban: ban.exactOptional(),
});
const wordSchema = z.union([
  z.object({ typing }),
  z.object({ introduction }),
  z.object({ relay }),
  z.object({ out }),
]);

/** What a hub may say to a session elsewhere. */
export type Word = z.infer<typeof wordSchema>;

/** A word as it travels. */
export function encodeWord(word: Word): string {
  return JSON.stringify(word);
}

/** Says something to a session, wherever it is. */
export function sendWord(core: Core, session: string, word: Word): void {
  if (core.sessions.has(session)) tell(core, session, word);
  else core.backplane.tell(session, encodeWord(word));
}

/** @returns false for a word that this version does not know */
export function hearWord(core: Core, session: string, word: string): boolean {
  let read: Word;
  try {
    read = wordSchema.parse(JSON.parse(word));
  } catch {
    return false;
  }
  tell(core, session, read);
  return true;
}

function tell(core: Core, name: string, word: Word): void {
  const session = core.sessions.get(name);
  if ("out" in word) {
    putOut(core, name, word.out);
    return;
  }
  // Moved on, or not welcomed yet: whoever said it finds out by the silence.
  if (session?.ready !== true) return;
  if ("typing" in word) {
    const { room, nick } = word.typing;
    if (session.memberships.has(room)) session.say(encodeLine({ type: "typing", room, nick }));
    return;
  }
  if ("introduction" in word) {
    const { from, ...said } = word.introduction;
    session.say(encodeLine({ type: "introduction", pair: pairOf(core.secret, from, name), ...said }));
    return;
  }
  const { from, ...frame } = word.relay;
  const { relays } = session;
  if (frame.ack !== undefined) relays.acked(from);
  if (!relays.takes(from)) return;
  session.say(encodeLine({ type: "relay", pair: pairOf(core.secret, from, name), ...frame }));
}
