/**
 * Names of people and rooms.
 *
 * Two names are the same when their keys are: Unicode NFKC, then each code point folded to lower case by way of its
 * upper case (so `ß` and `ss` meet, and a final sigma is a sigma; `ẞ` is its own upper case, so lower case comes first
 * too), then NFKC again. So look-alikes by case or width cannot coexist. Nicks are shown as typed (NFKC); rooms are
 * always shown by their key.
 */
import { ProtocolError } from "./errors.ts";
import { clientLimits } from "./limits.ts";

/** Already normalized; only its case can differ. */
const ASCII = /^[\u0000-\u007f]*$/;
const NAME = /^[\p{L}\p{N}_-][\p{L}\p{M}\p{N}_-]*$/u;

/** An ASCII name that is valid. */
const PLAIN_NAME = new RegExp(`^[A-Za-z0-9_-]{1,${clientLimits.nameLength}}$`);

/**
 * The key by which names are compared. Total and idempotent; does not validate. Texts are searched by it too, so it
 * folds a whole string at once: that gives what folding each code point gives, but for the final sigma, which is the only
 * letter whose case depends on its neighbours (Unicode's SpecialCasing.txt).
 */
export function nameKey(name: string): string {
  if (ASCII.test(name)) return name.toLowerCase();
  const folded = name.normalize("NFKC").toLowerCase().toUpperCase().toLowerCase();
  return folded.replaceAll("ς", "σ").normalize("NFKC");
}

function isName(name: string): boolean {
  if (PLAIN_NAME.test(name)) return true;
  if (name.length === 0 || name.length > clientLimits.nameLength * 2) return false;
  let length = 0;
  for (const _ of name) length += 1;
  return length <= clientLimits.nameLength && NAME.test(name);
}

/**
 * The form of a nick that is shown and stored.
 * @throws ProtocolError `bad-nick`
 */
export function parseNick(nick: string): string {
  const shown = nick.normalize("NFKC");
  if (!isName(shown)) {
    throw new ProtocolError(
      "bad-nick",
      `nick ${quote(nick)} is not usable; use 1 to ${clientLimits.nameLength} letters, digits, "-" or "_"`,
      quote(nick),
    );
  }
  return shown;
}

/**
 * A room's key, which is also its shown name. Room names start with no mark: `lobby`, not `#lobby`.
 * @throws ProtocolError `bad-room`
 */
export function parseRoom(room: string): string {
  const key = nameKey(room);
  if (!isName(key)) {
    throw new ProtocolError(
      "bad-room",
      `room ${quote(room)} is not usable; use 1 to ${clientLimits.nameLength} letters, digits, "-" or "_"`,
      quote(room),
    );
  }
  return key;
}

/**
 * A value quoted for an error message: JSON, control characters escaped.
 * @param most characters after which it is cut
 */
export function quote(value: string, most = 64): string {
  const cut = value.length > most ? `${value.slice(0, most - 3)}...` : value;
  return JSON.stringify(cut.toWellFormed()).replaceAll(
    /[\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
