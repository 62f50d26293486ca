/** Searching between peers: each looks through its own log. */
import type { PlainRequest } from "../../client/session.ts";
import { clientLimits } from "../../protocol/limits.ts";
import { peerConsoleLimits } from "../../protocol/limits.peer.ts";
import type { Found, Message } from "../../protocol/messages.ts";
import { nameKey, parseRoom } from "../../protocol/names.ts";
import { foldText, hasWords, readWanted } from "../../protocol/search.ts";
import type { Wanted } from "../../protocol/search.ts";
import type { Sources } from "./requests.ts";

type SearchRequest = Extract<PlainRequest, { type: "search" }>;

/**
 * Looks through this device's own log, the newest first, a bounded part of it for each request.
 * @param lines looked through at most
 */
export function searchLog(
  { node, rooms }: Sources,
  { room = "", words = "", from, before, limit = clientLimits.historyDefault }: SearchRequest,
  id: string,
  lines: number = peerConsoleLimits.searchLines,
): Found {
  const wanted = readWanted(words, from);
  const place = { room: parseRoom(room) };
  const top = before === undefined ? rooms.count(place) : Math.max(0, before - 1);
  const bottom = Math.max(0, top - lines);
  /** The newest first. */
  const messages: Message[] = [];
  let last = top;
  while (last > bottom && messages.length < limit) {
    const items = node.core.timeline(place, Math.min(peerConsoleLimits.searchPage, last - bottom), last);
    if (items.length === 0) break;
    const page = rooms.page(items, last);
    for (const message of page.reverse()) if (isWanted(message, wanted)) messages.push(message);
    last -= items.length;
  }
  // More than were asked for: the oldest of them are left for the next request.
  const shown = messages.slice(0, limit).reverse();
  const [oldest] = shown;
  const next = messages.length > shown.length && oldest !== undefined ? oldest.seq : last + 1;
  const more = next > 1;
  const looked = top - next + 1;
  const found = {
    type: "found",
    room: place.room,
    epoch: rooms.epoch,
    messages: shown,
    looked,
    more,
  } as const;
  return { ...found, ...(more ? { next } : {}), id };
}

function isWanted({ from, text }: Message, wanted: Wanted): boolean {
  if (wanted.from !== undefined && nameKey(from) !== wanted.from) return false;
  return hasWords(foldText(text), wanted.words);
}
