/** Whether a text speaks to somebody. */
import { clientLimits } from "../../protocol/limits.ts";
import { nameKey } from "../../protocol/names.ts";

const ASCII = /^[\u0000-\u007f]*$/;
const NAME = /[\p{L}\p{N}_-][\p{L}\p{M}\p{N}_-]*/gu;

/**
 * True if `nick`, or one of the other words, stands in the text as a word of its own, in whatever case or width.
 * @param others words that are as good as the nick
 */
export function mentions(text: string, nick: string, others: readonly string[] = []): boolean {
  const keys = [nick, ...others].map(nameKey).filter((key) => key !== "");
  // ASCII is its own NFKC: most messages are done with one look.
  if (ASCII.test(text)) {
    const lower = text.toLowerCase();
    if (!keys.some((key) => lower.includes(key))) return false;
  }
  for (const [word] of text.normalize("NFKC").matchAll(NAME)) {
    if (keys.includes(nameKey(word))) return true;
    // A nick may begin or end with what sentences put around words.
    if (keys.includes(nameKey(word.replaceAll(/^-+|-+$/g, "")))) return true;
  }
  return false;
}

/** Whether something can be looked for as a word. */
export function isWord(text: string): boolean {
  const [found] = text.normalize("NFKC").match(NAME) ?? [];
  return found === text.normalize("NFKC") && text.length <= clientLimits.nameLength * 2;
}
