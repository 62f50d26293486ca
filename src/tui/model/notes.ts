/** What a room says about itself, in the person's language. */
import type { GoingAway, Presence, Topic } from "../../protocol/messages.ts";
import { nameKey } from "../../protocol/names.ts";
import type { Words } from "../language/words.ts";

/** Somebody came, went, or is called something else. */
export function presenceNote(words: Words, { nick, room, state, to }: Presence): string {
  if (state === "rename") return words.renamed(nick, to ?? "?");
  return state === "join" ? words.came(nick, room) : words.went(nick, room);
}

/**
 * True for what a person did, who is told otherwise. The room hears of another nick before or after the session does, as
 * the messages happen to come.
 */
export function isOwn({ nick, state, to = nick }: Presence, me: string): boolean {
  const own = nameKey(me);
  return nameKey(to) === own || (state === "rename" && nameKey(nick) === own);
}

/** The server's successor is there already: nobody will notice that it goes. */
export function hasSuccessor({ afterMs, jitterMs }: GoingAway): boolean {
  return afterMs === 0 && jitterMs === 0;
}

/** The room is about something else now. */
export function topicNote(words: Words, { by, room, text }: Topic): string {
  return text === "" ? words.topicCleared(by, room) : words.topicSet(by, room, text);
}
