/** What drivers refuse in the same words. */
import { backplaneLimits } from "../protocol/limits.ts";
import { quote } from "../protocol/names.ts";
import type { BackplaneFailure, Publication } from "./backplane.ts";

/** The store cannot be reached, or did not answer: a repeat with the same key tells. */
export function unavailable(message: string): BackplaneFailure {
  return { ok: false, code: "unavailable", message };
}

/** The caller asked for what can never be. */
function refused(message: string): BackplaneFailure {
  return { ok: false, code: "internal", message };
}

/** Another session owns this nick, an equal one, or one that looks like it. */
export function nickTaken(nick: string): BackplaneFailure {
  return {
    ok: false,
    code: "nick-taken",
    message: `the nick ${quote(nick)} is taken, or looks like one that is; choose another`,
    value: nick,
  };
}

/** The session has gone on over a later connection. */
export function stale(session: string): BackplaneFailure {
  const message = `session ${quote(session)} has gone on over a later connection; use that one`;
  return { ok: false, code: "stale", message };
}

/** The session has not claimed a nick here, or another server has taken it over. */
export function notHere(session: string): BackplaneFailure {
  return refused(`session ${quote(session)} is not on this server; claim a nick for it first`);
}

/** What is wrong with a publication, if anything: its sizes are bounded here for every driver. */
export function checkPublication({ room, key, body, copy }: Publication): BackplaneFailure | undefined {
  const names = Math.max(room.length, copy?.room.length ?? 0, key.length);
  return checkSizes(Math.max(body.length, copy?.body.length ?? 0), names);
}

/** The same by its longest body, bytes, and the longest of its names, characters. */
export function checkSizes(bytes: number, names: number): BackplaneFailure | undefined {
  if (bytes > backplaneLimits.bodyBytes) {
    return refused(
      `an entry of ${bytes} bytes is over the limit of ${backplaneLimits.bodyBytes}; shorten it`,
    );
  }
  if (names > backplaneLimits.nameCharacters) {
    return refused(
      `a log's name or key of ${names} characters is over the limit of ${backplaneLimits.nameCharacters}`,
    );
  }
  return undefined;
}
