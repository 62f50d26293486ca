/**
 * Resume tokens: what proves that a session is one's own, on any server of the cluster, with nothing stored.
 *
 *   base64url(JSON payload) "." base64url(HMAC-SHA-256(secret, "rtchat resume 1\n" payload))
 *
 * The prefix keeps these apart from everything else the cluster secret signs. A token is shown to its session only (in
 * `welcome`) and to the edge that carries the session; neither it nor a part of it is ever logged.
 */
import { timingSafeEqual } from "node:crypto";
import { z } from "zod";

const claimsSchema = z.object({
  /** The session's name. */
  s: z.string().min(1).max(64),
  /** Its nick when the token was made. */
  n: z.string().min(1).max(256),
  /** When the connection was made, ms since 1970. */
  i: z.number().int(),
  /** The number of the connection's `hello` line. */
  l: z.number().int().min(1),
  /** Whose device it is, if that is known. */
  r: z.string().max(64).optional(),
  /** It is an operator's. */
  o: z.literal(true).optional(),
});

/** What a token says. */
export interface ResumeClaims {
  readonly session: string;
  readonly nick: string;
  /** When the connection was made, ms since 1970; larger than for every earlier connection of the session. */
  readonly madeAt: number;
  /** Number of the line with `hello`. A hub that continues before this line was finished must answer it. */
  readonly helloLine: number;
  /** The reader that the session has identified as (see readers.ts). */
  readonly reader?: string;
  readonly operator?: true;
}

/** Moves that are told apart; the product with a time in ms stays below 2^53 for some centuries. */
const MOVES = 2_048;

/** What orders the claims for a session (see Backplane.claim): by connection, then by the moves of one. */
export function fenceOf(madeAt: number, moves: number): number {
  return madeAt * MOVES + Math.min(moves, MOVES - 1);
}

const PREFIX = "rtchat resume 1\n";
const WHOLE = /^([A-Za-z0-9_-]{1,1024})\.([A-Za-z0-9_-]{43})$/;

/** HMACs that have taken a secret and the prefix in: to go on from a copy costs a third of beginning anew. */
const begun = new WeakMap<Uint8Array, Bun.CryptoHasher>();

function sign(secret: Uint8Array, payload: string): string {
  let keyed = begun.get(secret);
  if (keyed === undefined) {
    keyed = new Bun.CryptoHasher("sha256", secret).update(PREFIX);
    begun.set(secret, keyed);
  }
  return keyed.copy().update(payload).digest("base64url");
}

/** Signs claims. */
export function makeToken(secret: Uint8Array, claims: ResumeClaims): string {
  const { session, nick, madeAt, helloLine, reader, operator } = claims;
  const more = {
    ...(reader === undefined ? {} : { r: reader }),
    ...(operator === undefined ? {} : { o: operator }),
  };
  const json = JSON.stringify({ s: session, n: nick, i: madeAt, l: helloLine, ...more });
  const payload = Buffer.from(json).toString("base64url");
  return `${payload}.${sign(secret, payload)}`;
}

/**
 * The claims of a token signed with this secret; undefined for anything else. Takes the same time for every wrong
 * signature. Does not look at `madeAt`: who asks decides how old is too old.
 */
export function readToken(secret: Uint8Array, token: string): ResumeClaims | undefined {
  const parts = WHOLE.exec(token);
  const payload = parts?.[1];
  const proof = parts?.[2];
  if (payload === undefined || proof === undefined) return undefined;
  if (!timingSafeEqual(Buffer.from(sign(secret, payload)), Buffer.from(proof))) return undefined;
  const checked = claimsSchema.safeParse(JSON.parse(Buffer.from(payload, "base64url").toString()));
  if (!checked.success) return undefined;
  const { s, n, i, l, r, o } = checked.data;
  const claims = { session: s, nick: n, madeAt: i, helloLine: l };
  return {
    ...claims,
    ...(r === undefined ? {} : { reader: r }),
    ...(o === undefined ? {} : { operator: o }),
  };
}
