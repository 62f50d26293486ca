/** Words from other hubs of the cluster to a session of this one: small, unordered, lost without harm. */
import { z } from "zod";
import { encodeLine } from "./encode.ts";
import type { Core } from "./core.ts";

const wordSchema = z.object({ typing: z.object({ room: z.string(), nick: z.string() }) });

/** @returns false for a word that this version does not know */
export function hearWord(core: Core, session: string, word: string): boolean {
  let read: z.infer<typeof wordSchema>;
  try {
    read = wordSchema.parse(JSON.parse(word));
  } catch {
    return false;
  }
  const { room, nick } = read.typing;
  const here = core.sessions.get(session);
  if (here?.memberships.has(room) === true) here.say(encodeLine({ type: "typing", room, nick }));
  return true;
}
