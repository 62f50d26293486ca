/** One person whom we asked for a direct path, or who asked us, as this client knows it. */
import type { PeerId } from "../../../identity/peer-id.ts";
import type { EntryHash } from "../../../mesh/core/api.ts";
import type { Pair, PairPath } from "./pair.ts";

/** See above. Kept by paths.ts, which alone changes it. */
export interface Partner {
  nick: string;
  /** How the server names the two sessions to each other; undefined before it has said. */
  pair: string | undefined;
  /** Our person asked, or agreed. */
  weAgree: boolean;
  /** When they asked, monotonic ms; undefined if they did not. */
  askedAt: number | undefined;
  /** When our person asked or agreed. */
  agreedAt: number;
  /** The key that they gave. */
  key: PeerId | undefined;
  /** They gave it in the present sessions of both, so that this nick still is theirs. */
  isConfirmed: boolean;
  /** Lets us relay to them. */
  pass: string | undefined;
  path: Pair | undefined;
  /** They have ended it, and our person has not decided yet what follows. */
  isOver: boolean;
  /** When they were last introduced to us, and how often since there was a link. */
  saidAt: number;
  saidTimes: number;
  /** They have been told our addresses on this path. */
  isMet: boolean;
  /** What of the path was told last, and since when there is none. */
  told: string | undefined;
  lostAt: number | undefined;
  /** Messages shown, over all paths to them. */
  readonly shown: Set<EntryHash>;
}

/** Somebody of whom nothing is known but the name. */
export function newPartner(nick: string): Partner {
  return {
    nick,
    pair: undefined,
    weAgree: false,
    askedAt: undefined,
    agreedAt: 0,
    key: undefined,
    isConfirmed: false,
    pass: undefined,
    path: undefined,
    isOver: false,
    saidAt: 0,
    saidTimes: 0,
    isMet: false,
    told: undefined,
    lostAt: undefined,
    shown: new Set(),
  };
}

/** One of the two has another session: who has that nick now must show the key again. */
export function beginAnew(partner: Partner, pair: string | undefined): void {
  Object.assign(partner, { pair, isConfirmed: false, isMet: false, pass: undefined });
}

/** What of ourselves they may know at this point. @param key ours, once it is loaded */
export function cardFor(
  { askedAt, key: theirs, path, pair, isConfirmed }: Partner,
  key: PeerId | undefined,
): { readonly key?: string; readonly addresses?: string[]; readonly pair?: string } {
  if (key === undefined || (askedAt === undefined && theirs === undefined)) return {};
  if (path === undefined || pair === undefined || !isConfirmed) return { key };
  return { key, addresses: [...path.addresses()], pair };
}

/** A path in one word: two that are told alike are the same path. */
export function pathKey(path: PairPath): string {
  return path.kind === "relay" ? "relay" : `direct ${path.address ?? ""}`;
}

/** What went wrong, in its own words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
