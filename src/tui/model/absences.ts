/** Whom this person has been told to be away: once for each text, and again after they were back. */
import type { Ack } from "../../protocol/messages.ts";
import { nameKey } from "../../protocol/names.ts";

export class Absences {
  readonly #told = new Map<string, string>();

  /** What the other side of a conversation says while away, if there is anything new to tell. */
  news({ room, away }: Ack): { readonly nick: string; readonly text: string } | undefined {
    if (!room.startsWith("@")) return undefined;
    const nick = room.slice(1);
    const key = nameKey(nick);
    if (away === undefined) {
      this.#told.delete(key);
      return undefined;
    }
    if (this.#told.get(key) === away) return undefined;
    this.#told.set(key, away);
    return { nick, text: away };
  }
}
