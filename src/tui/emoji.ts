/** Emoji by what people call them: `:smi` and Tab. */
import emojilib from "emojilib";

const MOST = 24;

/** Names first: a name that begins with what was typed comes before a keyword that does. */
interface Named {
  readonly word: string;
  readonly emoji: string;
  readonly isName: boolean;
}

let sorted: readonly Named[] | undefined;

/** Every word with its emoji, in the order of words; made when first needed. */
function words(): readonly Named[] {
  sorted ??= Object.entries(emojilib)
    .flatMap(([emoji, names]) =>
      names.map((word, index) => ({ word: word.toLowerCase(), emoji, isName: index === 0 })),
    )
    .filter(({ word }) => /^[a-z0-9]/.test(word));
  return sorted;
}

/**
 * Emoji for the beginning of a word, the likeliest first: exact words, then names, then keywords.
 * @param typed without its colon
 */
export function findEmoji(typed: string): string[] {
  const start = typed.toLowerCase();
  const rank = ({ word, isName }: Named) => (word === start ? 0 : isName ? 1 : 2);
  const found = words()
    .filter(({ word }) => word.startsWith(start))
    .sort((a, b) => rank(a) - rank(b));
  return [...new Set(found.map(({ emoji }) => emoji))].slice(0, MOST);
}
