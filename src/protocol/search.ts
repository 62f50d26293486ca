/**
 * What "these words are in this message" means, for every place that answers it: the walk down a log, the keeper's index,
 * and whatever else wants to agree with them.
 *
 * Texts and words are compared folded: NFKC, without accents (and without Hebrew points and Arabic vowel signs, which
 * most people leave out), in one case. A word is found where it begins a word of the text, as `dep` in "the deployment";
 * scripts that put no spaces between words (Chinese, Japanese, Thai and their neighbours) are found anywhere.
 *
 * An index cannot be asked for beginnings inside of words, so texts are given to it as tokens of our own: words, emoji,
 * and for scripts without spaces each pair of letters. Invariant: a text that has all words has all their tokens; the
 * index gives candidates, {@link hasWords} decides.
 */
import { nameKey } from "./names.ts";

/** Characters of a token that count; what follows in a longer one is left to {@link hasWords}. */
const TOKEN_MOST = 64;
/** Begins the token that names a message's author: no text has it as a part of a word. */
const AUTHOR = "\u00a4";

const ACCENTS = /[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670]/g;
const ASCII = /^[\u0020-\u007e\n\t]*$/;
const SPACELESS = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30fc\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}`;
const PART = new RegExp(
  String.raw`[${SPACELESS}]+|(?:(?![${SPACELESS}])[\p{L}\p{M}\p{N}_])+|\p{Extended_Pictographic}`,
  "gu",
);
const WITHOUT_SPACES = new RegExp(`^[${SPACELESS}]`, "u");
const WORD_END = new RegExp(String.raw`(?![${SPACELESS}])[\p{L}\p{M}\p{N}_]$`, "u");
const WORD_START = new RegExp(String.raw`^(?![${SPACELESS}])[\p{L}\p{M}\p{N}_]`, "u");

/** A text as texts are compared. */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  const bare = text.normalize("NFKD").replace(ACCENTS, "").normalize("NFC");
  // A sigma at the end of a word is one in the middle of a longer word.
  return bare.toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");
}

/** What is looked for: folded words, and the key of an author's nick. */
export interface Wanted {
  readonly words: readonly string[];
  readonly from: string | undefined;
}

/** Reads the words of a search as they were typed. @param from a nick that was checked */
export function readWanted(words: string, from: string | undefined): Wanted {
  return {
    words: [...new Set(foldText(words.toWellFormed()).split(/\s+/).filter(Boolean))],
    from: from === undefined ? undefined : nameKey(from),
  };
}

/** Whether a folded text has all the words. */
export function hasWords(folded: string, words: readonly string[]): boolean {
  return words.every((word) => hasWord(folded, word));
}

function hasWord(folded: string, word: string): boolean {
  const anywhere = !WORD_START.test(word);
  let next = 0;
  for (let at = folded.indexOf(word); at !== -1; at = folded.indexOf(word, next)) {
    if (anywhere || at === 0 || !endsInsideWord(folded, at)) return true;
    // Wherever else it is found inside of the same word, it does not begin one either.
    next = at + 1;
    while (next < folded.length && endsInsideWord(folded, next)) next += 1;
  }
  return false;
}

/** By UTF-16 unit, whether it is of a word: 0 not known yet, 1 yes, 2 no. */
const endings = new Uint8Array(0x1_0000);

/**
 * Whether what stands before `at` goes on as a word there. Asked of thousands of places in a text that somebody made for
 * that, where a regular expression each would cost a tenth of a second a message.
 */
function endsInsideWord(folded: string, at: number): boolean {
  const unit = folded.charCodeAt(at - 1);
  // The second half of a pair says nothing by itself.
  if (unit >= 0xdc00 && unit < 0xe000) return WORD_END.test(folded.slice(Math.max(0, at - 2), at));
  if (endings[unit] === 0) endings[unit] = WORD_END.test(String.fromCharCode(unit)) ? 1 : 2;
  return endings[unit] === 1;
}

/** The tokens of one part, in order. */
function tokensOf(part: string): string[] {
  if (!WITHOUT_SPACES.test(part)) return [part.slice(0, TOKEN_MOST)];
  const letters = [...part];
  // Each pair, and the last letter alone, so that every letter begins a token.
  return letters.map((letter, at) => letter + (letters[at + 1] ?? ""));
}

/** What an index is given of a message: tokens between spaces. */
export function indexedTokens(folded: string, from: string): string {
  const tokens = new Set([AUTHOR + nameKey(from)]);
  for (const [part] of folded.matchAll(PART)) for (const token of tokensOf(part)) tokens.add(token);
  return [...tokens].join(" ");
}

/**
 * What an index is asked for: tokens that a message must have, as an FTS5 expression. Each stands in quotes, so nothing
 * of what was typed is an operator.
 * @returns undefined when the words have no tokens (punctuation): then only looking at each message helps
 */
export function indexExpression({ words, from }: Wanted): string | undefined {
  const terms = from === undefined ? [] : [`"${AUTHOR}${from}"`];
  for (const word of words) {
    const parts = [...word.matchAll(PART)];
    for (const [index, { 0: part, index: at }] of parts.entries()) {
      const last = index === parts.length - 1 && at + part.length === word.length;
      const tokens = tokensOf(part);
      const paired = WITHOUT_SPACES.test(part) && tokens.length > 1;
      // The last letter stands alone only where the text ends: the pair before it has it already.
      const asked = paired ? tokens.slice(0, -1) : tokens;
      const open = !paired && (last || part.length >= TOKEN_MOST);
      for (const token of asked) terms.push(`"${token}"${open ? "*" : ""}`);
    }
  }
  return terms.length === 0 ? undefined : [...new Set(terms)].join(" ");
}
