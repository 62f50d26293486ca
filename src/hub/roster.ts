/**
 * Who is in a room: by session, in the order people read, and as one number.
 *
 * The digest is the exclusive or of a hash of each nick (and of who is away, and which is a program), so it does not
 * depend on the order in which they came and a change costs one hash. Two hubs that know the same members have the same
 * digest; a session moved from one to the other gets a fresh list only if the digests differ.
 */
import type { Member } from "../backplane/backplane.ts";
import { bisect } from "../protocol/bisect.ts";
import { nameKey } from "../protocol/names.ts";
import { isBot } from "./bots.ts";

interface Place {
  readonly key: string;
  readonly session: string;
  readonly nick: string;
  /** See Member. */
  readonly away: string | undefined;
}

/** A nick that is its own key is kept once. */
function placeOf({ session, nick, away }: Omit<Place, "key">): Place {
  const key = nameKey(nick);
  return { key: key === nick ? nick : key, session, nick, away };
}

/** A 32-bit hash of a text: FNV-1a over UTF-16 units, mixed as in MurmurHash3. The same on every server. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Shared by all rooms that nobody is in, and so never changed. */
const NOBODY: Place[] = [];

/** The members of one room. */
export class Roster {
  readonly #bySession = new Map<string, Place>();
  #sorted: Place[] = NOBODY;
  #digest = 0;
  /** How many are away, and how many are programs. */
  #away = 0;
  #bots = 0;

  get size(): number {
    return this.#bySession.size;
  }

  /** See above. Unsigned 32 bits. */
  get digest(): number {
    return this.#digest;
  }

  has(session: string): boolean {
    return this.#bySession.has(session);
  }

  nickOf(session: string): string | undefined {
    return this.#bySession.get(session)?.nick;
  }

  /** Who is away among those that {@link nicks} gives, by nick, or undefined if nobody is. */
  away(limit: number): Record<string, string> | undefined {
    if (this.#away === 0) return undefined;
    // Entries, because a nick may be `__proto__`.
    const away: [string, string][] = [];
    const end = Math.min(limit, this.#sorted.length);
    for (let at = 0; at < end; at += 1) {
      const place = this.#sorted[at];
      if (place?.away !== undefined) away.push([place.nick, place.away]);
    }
    return Object.fromEntries(away);
  }

  /** Which of those that {@link nicks} gives are programs, or undefined if none is. */
  bots(limit: number): string[] | undefined {
    if (this.#bots === 0) return undefined;
    const listed = this.#sorted.slice(0, limit);
    return listed.filter(({ session }) => isBot(session)).map(({ nick }) => nick);
  }

  /** All sessions in the room. */
  sessions(): Iterable<string> {
    return this.#bySession.keys();
  }

  /** The nicks sorted by key, at most `limit`. */
  nicks(limit: number): string[] {
    const end = Math.min(limit, this.#sorted.length);
    const nicks: string[] = [];
    for (let at = 0; at < end; at += 1) nicks.push(this.#sorted[at]?.nick ?? "");
    return nicks;
  }

  /** Forgets all and takes these. */
  reset(members: readonly Member[]): void {
    this.#bySession.clear();
    this.#digest = 0;
    this.#away = 0;
    this.#bots = 0;
    for (const { session, nick, away } of members) {
      const before = this.#bySession.get(session);
      if (before !== undefined) this.#mix(before, -1);
      const place = placeOf({ session, nick, away });
      this.#bySession.set(session, place);
      this.#mix(place, 1);
    }
    this.#sorted = members.length === 0 ? NOBODY : [...this.#bySession.values()].sort(compare);
  }

  /** Puts a session in, or changes its nick or whether it is away. @returns false if nothing changed */
  put({ session, nick, away }: Member): boolean {
    const known = this.#bySession.get(session);
    if (known !== undefined && known.nick === nick && known.away === away) return false;
    this.remove(session);
    const place = placeOf({ session, nick, away });
    this.#bySession.set(session, place);
    if (this.#sorted.length === 0) this.#sorted = [place];
    else this.#sorted.splice(this.#find(place), 0, place);
    this.#mix(place, 1);
    return true;
  }

  /** @returns false if it was not there */
  remove(session: string): boolean {
    const place = this.#bySession.get(session);
    if (place === undefined) return false;
    this.#bySession.delete(session);
    this.#sorted.splice(this.#find(place), 1);
    this.#mix(place, -1);
    return true;
  }

  #mix({ session, nick, away }: Place, by: 1 | -1): void {
    const bot = isBot(session);
    // Names have no line breaks and no spaces, so what is more cannot be mistaken for another nick.
    const name = bot ? `${nick} bot` : nick;
    this.#digest = (this.#digest ^ hash32(away === undefined ? name : `${name}\n${away}`)) >>> 0;
    if (away !== undefined) this.#away += by;
    if (bot) this.#bots += by;
  }

  /** Where a place is, or belongs. */
  #find(place: Place): number {
    return bisect(0, this.#sorted.length, (index) => {
      const other = this.#sorted[index];
      return other !== undefined && compare(other, place) < 0;
    });
  }
}

function compare(a: Place, b: Place): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  if (a.session === b.session) return 0;
  return a.session < b.session ? -1 : 1;
}
