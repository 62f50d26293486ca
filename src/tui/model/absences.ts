/** Whom this person has been told to be away: once for each text, and again after they were back. */
import type { Ack } from "../../protocol/messages.ts";
import { nameKey } from "../../protocol/names.ts";

export class Absences {
  readonly #told = new Map<string, string>();

  /** What the other side of a conversation says while away, if there is anything new to tell. */
  news({ room, away }: Ack): readonly { readonly nick: string; readonly text: string }[] {
    if (!room.startsWith("@")) return [];
    const nick = room.slice(1);
    const key = nameKey(nick);
    if (away === undefined) {
      this.#told.delete(key);
      return [];
    }
    if (this.#told.get(key) === away) return [];
    this.#told.set(key, away);
    return [{ nick, text: away }];
  }
}
