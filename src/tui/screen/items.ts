/**
 * What a room shows, item by item, as rows of spans. The only place of the full screen where other people's text is
 * sanitised; everything after it works on what comes out of here.
 */
import { INBOX } from "../../protocol/messages.ts";
import type { Message } from "../../protocol/messages.ts";
import { nameKey } from "../../protocol/names.ts";
import { sanitizeLine, sanitizeText } from "../../protocol/sanitize.ts";
import { nickColour } from "../colours.ts";
import type { Theme } from "../colours.ts";
import type { Words } from "../language/words.ts";
import type { Change } from "../model/changes.ts";
import type { Item } from "../model/log.ts";
import type { Pending } from "../model/room-model.ts";
import { findLinks } from "../text/links.ts";
import { fitRow, plain, wrap } from "../text/spans.ts";
import type { Row, Span, Style } from "../text/spans.ts";
import { fit, widthOf } from "../text/width.ts";
import { UNBROKEN } from "./bare.ts";

const DIM: Style = { dim: true };
/** Where a second row of a message begins: under the nick. */
const INDENT = 6;
/** Below so many columns nothing is indented. */
const NARROW = 40;
/** Columns that the second column of a list has at least. */
const SECOND_LEAST = 28;

/** What is known around a message. */
export interface About {
  readonly change: Change | undefined;
  readonly original: Message | undefined;
}

/** How moments are shown, and days compared. */
interface Formats {
  readonly clock: Intl.DateTimeFormat;
  readonly calendar: Intl.DateTimeFormat;
  readonly days: Intl.DateTimeFormat;
}

/** Items as rows, for one person in one language. */
export class ItemRows {
  readonly #words: Words;
  readonly #theme: Theme;
  readonly #zone: Intl.DateTimeFormatOptions;
  #formats: Formats | undefined;

  /** Whether a text speaks to somebody. */
  readonly #callsMe: (text: string, me: string) => boolean;

  /** @param timeZone IANA name; the machine's own if not given */
  constructor(
    words: Words,
    theme: Theme,
    callsMe: (text: string, me: string) => boolean,
    timeZone: string | undefined,
  ) {
    this.#callsMe = callsMe;
    this.#theme = theme;
    this.#zone = timeZone === undefined ? {} : { timeZone };
    this.#words = words;
  }

  /** Made with the first message: reading the tables of the world's calendars takes longer than all of a start's rest. */
  get #dates(): Formats {
    const { locale } = this.#words;
    return (this.#formats ??= {
      clock: new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", ...this.#zone }),
      calendar: new Intl.DateTimeFormat(locale, { dateStyle: "full", ...this.#zone }),
      days: new Intl.DateTimeFormat("en-CA", { dateStyle: "short", ...this.#zone }),
    });
  }

  /** The day of a moment, to be compared. */
  day(at: number): string {
    return this.#dates.days.format(at);
  }

  /** The line between two days. */
  dayRow(at: number, columns: number): Row {
    return ruled(this.#dates.calendar.format(at), columns, DIM);
  }

  /** The line above what is new. */
  markerRow(columns: number): Row {
    return ruled(this.#words.screen.newFrom, columns, { colour: this.#theme.mention });
  }

  /** @param about what is said about the message, and the message it replies to */
  item(item: Item, about: About, me: string, columns: number): Row[] {
    switch (item.kind) {
      case "message":
        return this.#message(item.message, about, me, columns);
      case "change":
        return [];
      case "gap": {
        const { room, after, before } = item.gap;
        const words = this.#words;
        const text =
          room === INBOX
            ? words.gapDirect
            : after === undefined
              ? words.gapNew(room)
              : before === undefined
                ? words.gap(room)
                : words.gapCount(before - after - 1, room);
        return [ruled(sanitizeLine(text), columns, { colour: this.#theme.mention })];
      }
      case "note": {
        const style: Style = item.warning ? { colour: this.#theme.mention } : DIM;
        return noteRows(sanitizeLine(item.text), item.warning, style, columns);
      }
    }
  }

  #message(message: Message, { change, original }: About, me: string, columns: number): Row[] {
    const { screen } = this.#words;
    const mine = nameKey(message.from) === nameKey(me);
    const text = change?.text ?? message.text;
    const spoken = !mine && this.#callsMe(text, me);
    const from = `${sanitizeLine(message.from)}${message.unverified === true ? "?" : ""}`;
    const time: Style = spoken ? { colour: this.#theme.mention, bold: true } : DIM;
    const nick = { text: from, style: { colour: nickColour(message.from), bold: spoken } };
    const lead: Row =
      message.action === true
        ? [{ text: "* ", style: DIM }, nick, plain(" ")]
        : [nick, { text: ": ", style: DIM }];
    const body: Span[] =
      change?.deleted === true
        ? [{ text: screen.deleted, style: DIM }]
        : textSpans(text, { ...(spoken ? { bold: true } : {}), ...(message.action ? { italic: true } : {}) });
    if (change?.text !== undefined && !change.deleted) body.push({ text: ` ${screen.edited}`, style: DIM });
    const at = { text: `${this.#dates.clock.format(message.at)} `, style: time };
    const rows = indented([at, ...lead], body, columns);
    const quoted = message.re?.kind === "reply" ? [quoteRow(original, columns)] : [];
    const reactions = change === undefined ? [] : reactionRows(change, columns);
    return [...quoted, ...rows, ...reactions];
  }

  /** A message on its way, or one that did not go. */
  pending(pending: Pending, me: string, columns: number): Row[] {
    const { screen } = this.#words;
    const failed = pending.state === "failed";
    const mark: Style = failed ? { colour: this.#theme.warning } : DIM;
    const rows = indented(
      [
        { text: failed ? "  ✗   " : "  …   ", style: mark },
        { text: sanitizeLine(me), style: { colour: nickColour(me), dim: true } },
        { text: ": ", style: DIM },
      ],
      textSpans(pending.text, DIM),
      columns,
    );
    if (!failed) return rows;
    const reason = screen.failed(sanitizeLine(pending.reason));
    return [...rows, ...indented([plain("      ")], [{ text: reason, style: mark }], columns)];
  }
}

/**
 * What the screen says. Further rows are not moved under the text: an ID has to stay in one row of 80 columns, to be
 * copied. A list in two columns keeps them, its second one under itself, or below the first where that leaves it no room.
 */
function noteRows(text: string, warning: boolean, style: Style, columns: number): Row[] {
  const base = pad(columns >= NARROW && columns !== UNBROKEN ? INDENT : 0);
  if (!text.startsWith("  "))
    return indented([base, { text: warning ? "! " : "· ", style }], [{ text, style }], columns);
  const [, first = "", gap = "", second = ""] = /^( {2}\S(?:.*?\S)?)( {2,})(\S.*)$/.exec(text) ?? [];
  const hang = widthOf(base.text) + widthOf(first) + gap.length;
  const left = columns - hang;
  const longest = Math.max(...second.split(" ").map(widthOf));
  if (second === "" || / {2}/.test(second) || longest > Math.max(left, columns / 2))
    return indented([base], [{ text, style }], columns);
  const inRows = (room: number) => wrap([{ text: second, style }], room);
  if (left < SECOND_LEAST) {
    const below = widthOf(base.text) + 4;
    return [[base, { text: first, style }], ...inRows(columns - below).map((row) => [pad(below), ...row])];
  }
  return inRows(left).map((row, index) =>
    index === 0 ? [base, { text: first + gap, style }, ...row] : [pad(hang), ...row],
  );
}

/** The beginning of the message that a reply is about. */
function quoteRow(original: Message | undefined, columns: number): Row {
  const text =
    original === undefined ? "…" : `${sanitizeLine(original.from)}: ${sanitizeLine(original.text)}`;
  const shown = widthOf(text) > columns - 9 ? `${fit(text, Math.max(4, columns - 10))}…` : text;
  return [plain("      "), { text: `↪ ${shown}`, style: DIM }];
}

/** Each emoji with how many chose it. */
function reactionRows({ reactions }: Change, columns: number): Row[] {
  if (reactions.size === 0) return [];
  const text = [...reactions].map(([emoji, who]) => `${sanitizeLine(emoji)} ${who.size}`).join("   ");
  return indented([plain("      ")], [{ text, style: DIM }], columns);
}

/** A message's text with its addresses to click. */
function textSpans(text: string, style: Style): Span[] {
  return findLinks(sanitizeText(text)).map(({ text: part, link }) => ({
    text: part,
    style: link === undefined ? style : { ...style, underline: true, link },
  }));
}

/** Text behind a lead, its further rows indented below the lead's nick. */
function indented(lead: Row, text: Row, columns: number): Row[] {
  let leadWidth = 0;
  for (const span of lead) leadWidth += widthOf(span.text);
  if (columns === UNBROKEN) return wrap([...lead, ...text], columns);
  const indent = columns >= NARROW ? INDENT : 0;
  // The first row is shorter by what the lead takes beyond the indent: a space-less stand-in keeps its place.
  const room = Math.max(8, columns - indent);
  const standIn = Math.max(0, leadWidth - indent);
  if (standIn >= room - 4)
    return [...wrap(lead, columns), ...wrap(text, room).map((row) => [pad(indent), ...row])];
  const rows = wrap([{ text: "\u2007".repeat(standIn), style: {} }, ...text], room);
  return rows.map((row, index) =>
    index === 0 ? [...lead, ...cutStart(row, standIn)] : [pad(indent), ...row],
  );
}

function pad(columns: number): Span {
  return plain(" ".repeat(columns));
}

/** A row without its first `count` characters, which are the stand-in's. */
function cutStart(row: Row, count: number): Row {
  let left = count;
  return row.flatMap(({ text, style }) => {
    const cut = Math.min(left, text.length);
    left -= cut;
    return cut === text.length ? [] : [{ text: text.slice(cut), style }];
  });
}

/** Words in the middle of a line. */
function ruled(text: string, columns: number, style: Style): Row {
  if (columns === UNBROKEN) return [{ text: `── ${text} ──`, style }];
  const width = widthOf(text);
  const side = Math.max(1, Math.floor((columns - width - 2) / 2));
  const rest = Math.max(1, columns - width - 2 - side);
  return fitRow([{ text: `${"─".repeat(side)} ${text} ${"─".repeat(rest)}`, style }], columns);
}
