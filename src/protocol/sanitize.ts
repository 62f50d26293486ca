/**
 * Other people's text on its way to a terminal, and our own on its way out.
 *
 * A terminal obeys what it is shown: an escape sequence in a message could move the cursor, change the title, write the
 * clipboard or answer for the user. So every string that somebody else chose (nicks, texts, topics, room and server
 * names, error messages) passes through here on its way to a terminal, a log or a page.
 *
 * Invariant: what {@link sanitizeLine} returns has no C0, DEL or C1 character at all, what {@link sanitizeText} returns
 * has none but `\n`; neither has bidirectional overrides or embeddings, which can make a line read as another one, nor
 * unpaired surrogates. A control character is shown as its picture (`␛`), so that nothing disappears unseen.
 */

/** C0 but tab and newline, DEL, C1. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/**
 * Embeddings, overrides and isolates, which reorder what a person reads; zero-width spaces and joiners of words, the
 * byte order mark, interlinear annotations: invisible, and used to make two names look the same. ZWJ and ZWNJ stay,
 * because emoji and Persian need them; so do the plain left-to-right and right-to-left marks.
 */
const INVISIBLE = /[\u00ad\u061c\u180e\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]/g;
/** What most texts are: nothing of the above, nothing that has to be looked at twice. */
const PRINTABLE = /^[\u0020-\u007e]*$/;
const LINE_BREAK = /\r\n|[\n\r\u2028\u2029]/g;
/** Tabs would jump to wherever this terminal's stops are; a fixed width keeps columns of our own making. */
const TAB_AS_SPACES = "    ";

/** The picture of a control character: `␀` to `␟`, `␡`; C1 has no pictures. */
function picture(control: string): string {
  const code = control.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
}

/**
 * Text of several lines, safe for a terminal: line breaks are `\n`, tabs are spaces, control characters are pictures.
 */
export function sanitizeText(text: string): string {
  if (PRINTABLE.test(text)) return text;
  return text
    .toWellFormed()
    .replaceAll(LINE_BREAK, "\n")
    .replaceAll("\t", TAB_AS_SPACES)
    .replaceAll(INVISIBLE, "")
    .replaceAll(CONTROL, picture);
}

/** Text as one line, safe for a terminal: as {@link sanitizeText}, with line breaks as spaces. */
export function sanitizeLine(text: string): string {
  if (PRINTABLE.test(text)) return text;
  return sanitizeText(text).replaceAll("\n", " ");
}

/**
 * An object as one line of JSON that a terminal may be shown: characters that JSON leaves as they are, but a terminal
 * or a line reader would take for commands or line ends, are escaped.
 */
export function jsonLine(object: object): string {
  return JSON.stringify(object).replaceAll(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Text made fit to be sent: whole escape sequences go (the colours of a piped `ls`), line breaks become `\n`, and other
 * control characters but tab are dropped, so that a server accepts what is left. May return an empty string.
 */
export function cleanOutgoing(text: string): string {
  if (PRINTABLE.test(text)) return text;
  return Bun.stripANSI(text.toWellFormed()).replaceAll(LINE_BREAK, "\n").replaceAll(CONTROL, "");
}
