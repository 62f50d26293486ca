/** Addresses in a text, so that they can be clicked. */

const URL_PATTERN = /\b(?:https?:\/\/|mailto:)[^\s<>"'`\u0000-\u001f]+/giu;
/** What ends a sentence rather than an address. */
const TRAILING = /[.,:;!?…]+$/u;

const BRACKETS = [
  { open: "(", close: ")" },
  { open: "[", close: "]" },
  { open: "{", close: "}" },
] as const;

/** A part of a text; `link` where it is an address. */
export interface LinkPart {
  readonly text: string;
  readonly link?: string;
}

/** An address without what the sentence around it left at its end: full stops, and brackets it did not open. */
function trimAddress(address: string): string {
  let kept = address;
  for (;;) {
    const before = kept;
    kept = kept.replace(TRAILING, "");
    for (const { open, close } of BRACKETS) {
      const opened = kept.split(open).length;
      if (kept.endsWith(close) && kept.split(close).length > opened) kept = kept.slice(0, -1);
    }
    if (kept === before) return kept;
  }
}

/** The text in parts, in order; put together they are the text. */
export function findLinks(text: string): LinkPart[] {
  const parts: LinkPart[] = [];
  let from = 0;
  for (const match of text.matchAll(URL_PATTERN)) {
    const address = trimAddress(match[0]);
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    parts.push({ text: address, link: address });
    from = match.index + address.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}
