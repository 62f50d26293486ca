/**
 * From what a chat tells to lines of text for a terminal: `12:03 ana: hello`.
 *
 * Pure, but for the time zone of the machine. Every foreign string is sanitised here, and nowhere else in line mode, so
 * a line that comes out of this file holds no control character but those of {@link Paint}.
 */
import type { Gap } from "../../client/events.ts";
import { INBOX } from "../../protocol/messages.ts";
import type { Message, Presence, Topic } from "../../protocol/messages.ts";
import { nameKey } from "../../protocol/names.ts";
import { sanitizeLine, sanitizeText } from "../../protocol/sanitize.ts";
import type { Paint } from "../colours.ts";
import type { Words } from "../language/words.ts";
import { presenceNote, topicNote } from "../model/notes.ts";

export class LineFormat {
  readonly #words: Words;
  readonly #paint: Paint;
  readonly #clock: Intl.DateTimeFormat;
  readonly #calendar: Intl.DateTimeFormat;
  #day = "";

  /** @param timeZone IANA name; the machine's own if not given */
  constructor(words: Words, paint: Paint, timeZone?: string) {
    const zone = timeZone === undefined ? {} : { timeZone };
    this.#words = words;
    this.#paint = paint;
    this.#clock = new Intl.DateTimeFormat(words.locale, { hour: "2-digit", minute: "2-digit", ...zone });
    this.#calendar = new Intl.DateTimeFormat(words.locale, { dateStyle: "full", ...zone });
  }

  /** The date, if it is another than at the last call. */
  day(at: number): string[] {
    const day = this.#calendar.format(at);
    if (day === this.#day) return [];
    this.#day = day;
    return [this.#paint.dim(`— ${day} —`)];
  }

  /**
   * A message, with the date before it when that changed.
   * @param me this person's nick
   * @param current the room in front: messages of others name theirs
   */
  message(message: Message, me: string, current: string | undefined): string[] {
    const paint = this.#paint;
    const from = sanitizeLine(message.from);
    const lead = `${paint.dim(this.#clock.format(message.at))} `;
    const room = sanitizeLine(message.room);
    const mark = message.unverified === true ? "?" : "";
    let who = paint.nick(from, `${from}${mark}`);
    if (message.room.startsWith("@")) {
      const other = sanitizeLine(message.room.slice(1));
      const mine = nameKey(message.from) === nameKey(me) && nameKey(other) !== nameKey(me);
      const words = mine ? this.#words.youDirect(other) : this.#words.directYou(`${from}${mark}`);
      who = paint.bold(paint.nick(other, words));
    } else if (message.room !== current) who = `${paint.dim(`${room}:`)} ${who}`;
    const [first = "", ...rest] = sanitizeText(message.text).split("\n");
    const about = message.re === undefined ? "" : paint.dim(` (${this.#words.about[message.re.kind]})`);
    return [
      ...this.day(message.at),
      message.action === true ? `${lead}* ${who} ${first}` : `${lead}${who}${about}: ${first}`,
      // Indented, so that a second line cannot pass for somebody else's message.
      ...rest.map((line) => `      │ ${line}`),
    ];
  }

  /** Something about the chat itself. */
  info(text: string): string {
    return this.#paint.dim(`· ${sanitizeLine(text)}`);
  }

  /** Something that went wrong. */
  warning(text: string): string {
    return this.#paint.warn(`! ${sanitizeLine(text)}`);
  }

  /** A line of a list that a command asked for; keeps its spaces. */
  listed(text: string): string {
    return sanitizeLine(text);
  }

  presence(event: Presence): string {
    return this.info(presenceNote(this.#words, event));
  }

  topic(event: Topic): string {
    return this.info(topicNote(this.#words, event));
  }

  gap({ room, after, before }: Gap): string {
    const words = this.#words;
    if (room === INBOX) return this.warning(words.gapDirect);
    if (after === undefined) return this.warning(words.gapNew(room));
    if (before === undefined) return this.warning(words.gap(room));
    return this.warning(words.gapCount(before - after - 1, room));
  }
}
