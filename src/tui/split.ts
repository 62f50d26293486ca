/** Long texts as several messages, none over what a server takes, cut where a person would cut. */
import { clientLimits } from "../protocol/limits.ts";

const encoder = new TextEncoder();
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The longest beginning of `text`, in code units, that has at most `bytes` of UTF-8 and ends between graphemes. */
function longestPrefix(text: string, bytes: number): number {
  const { read } = encoder.encodeInto(text, new Uint8Array(bytes));
  if (read === text.length) return read;
  // A grapheme is short: looking back a little from the cut finds where the one at the cut begins.
  const start = Math.max(0, read - 64);
  let end = start;
  for (const { index } of graphemes.segment(text.slice(start, read + 64))) {
    if (start + index > read) break;
    end = start + index;
  }
  return end > start ? end : read;
}

/**
 * `text` in pieces of at most `bytes` of UTF-8 each: cut at the last line break or space in the second half of a piece,
 * else between graphemes. The pieces, in order, are the text, less the white space at the cuts.
 */
export function splitText(text: string, bytes: number = clientLimits.textBytes): string[] {
  // UTF-8 takes at most three bytes a UTF-16 unit, so short texts need no measuring.
  if (text !== "" && text.length * 3 <= bytes) return [text];
  const pieces: string[] = [];
  let rest = text;
  while (rest !== "") {
    let end = longestPrefix(rest, bytes);
    if (end < rest.length) {
      const space = Math.max(rest.lastIndexOf("\n", end), rest.lastIndexOf(" ", end));
      if (space > end / 2) end = space;
    }
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end);
    if (rest !== "") rest = rest.replace(/^[ \n]/, "");
  }
  return pieces;
}
