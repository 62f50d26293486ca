/** The part of a found message that shows why it was found. Pure. */
import { foldText, hasWords, readWanted } from "../../protocol/search.ts";

/** UTF-16 units shown: about a row of a wide terminal. */
const SHOWN = 100;

/** The first text that has all the words, else the first that has one of them, else the first. */
function best(texts: readonly string[], words: readonly string[]): number {
  const folded = texts.map(foldText);
  const all = folded.findIndex((text) => hasWords(text, words));
  if (all !== -1) return all;
  return Math.max(
    0,
    folded.findIndex((text) => words.some((word) => hasWords(text, [word]))),
  );
}

/**
 * One line of `text`, the one that a search was for, cut around what was found where it is long.
 * @param words as they were typed
 */
export function excerpt(text: string, words: string): string {
  const wanted = readWanted(words, undefined).words;
  const lines = text.split("\n");
  const line = lines[best(lines, wanted)] ?? "";
  if (line.length <= SHOWN) return line;
  const starts = Array.from({ length: Math.ceil((line.length - SHOWN) / (SHOWN / 2)) + 1 }, (_, n) =>
    Math.min((n * SHOWN) / 2, line.length - SHOWN),
  );
  const at = best(
    starts.map((start) => line.slice(start, start + SHOWN)),
    wanted,
  );
  const start = starts[at] ?? 0;
  const end = start + SHOWN;
  // A surrogate pair that is cut in half shows as rubbish.
  const part = line.slice(start, end).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
  return `${start > 0 ? "…" : ""}${part}${end < line.length ? "…" : ""}`;
}
