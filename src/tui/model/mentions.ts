/** Whether a text speaks to somebody. */
import { nameKey } from "../../protocol/names.ts";

const ASCII = /^[\u0000-\u007f]*$/;
const NAME = /[\p{L}\p{N}_-][\p{L}\p{M}\p{N}_-]*/gu;

/** True if `nick` stands in the text as a word of its own, in whatever case or width. */
export function mentions(text: string, nick: string): boolean {
  const key = nameKey(nick);
  if (key === "") return false;
  // ASCII is its own NFKC: most messages are done with one look.
  if (ASCII.test(text) && !text.toLowerCase().includes(key)) return false;
  for (const [word] of text.normalize("NFKC").matchAll(NAME)) {
    if (nameKey(word) === key) return true;
    // A nick may begin or end with what sentences put around words.
    if (nameKey(word.replaceAll(/^-+|-+$/g, "")) === key) return true;
  }
  return false;
}
