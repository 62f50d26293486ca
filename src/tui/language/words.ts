/**
 * The catalogue's type, made from the English one: a language that lacks an entry, or takes other arguments, does not
 * compile.
 */
import { english } from "./english.ts";
import { spanish } from "./spanish.ts";

type Loose<Entry> = Entry extends (...given: infer Given) => string
  ? (...given: Given) => string
  : Entry extends string
    ? string
    : Entry extends readonly [string, string]
      ? readonly [usage: string, summary: string]
      : { readonly [Key in keyof Entry]: Loose<Entry[Key]> };

/** Everything a screen says, in one language. */
export type Words = Loose<typeof english>;

/** The languages there are, by their codes (ISO 639-1). */
export const languages: Readonly<Record<string, Words>> = { en: english, es: spanish };

/**
 * The catalogue for a language as the environment names it (`es_MX.UTF-8`, `es`), English where there is none.
 * @param wanted a code, or the value of LC_ALL, LC_MESSAGES or LANG
 */
export function wordsFor(wanted: string | undefined): Words {
  const code = (wanted ?? "").toLowerCase().split(/[_.@-]/)[0] ?? "";
  return Object.hasOwn(languages, code) ? (languages[code] ?? english) : english;
}

/** Why something was refused, in the person's language where the code is known, else as it was said. */
export function failureIn(
  words: Words,
  {
    code,
    message,
    value,
  }: { readonly code: string; readonly message: string; readonly value?: string | undefined },
): string {
  return Object.hasOwn(words.errors, code) ? (words.errors[code]?.(value) ?? message) : message;
}

/**
 * Why there is no connection, in the person's language where the code is known.
 * @param nick what the person wants to be called, for when that is why
 */
export function reasonIn(
  words: Words,
  { code, reason }: { readonly code: string; readonly reason: string },
  nick?: string,
): string {
  const known = Object.entries(words.reasons).find(([one]) => one === code)?.[1];
  return known ?? failureIn(words, { code, message: reason, value: nick });
}
