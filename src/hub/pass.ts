/**
 * Passes: what proves, on any server of the cluster and with nothing stored, that somebody has agreed to be relayed to.
 *
 *   base64url(JSON payload) "." base64url(HMAC-SHA-256(secret, "rtchat pass 1\n" payload))
 *
 * Whoever agrees to talk directly (`introduce` with a key) gives the other a pass through the server; `relay` wants one.
 * So bytes flow only between two sessions that have both agreed, and go on doing so when either is moved to another
 * server. A pass is good for one holder only, and for a while.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

const claimsSchema = z.object({
  /** The session that may use it. */
  h: z.string().min(1).max(64),
  /** The session that agreed. */
  t: z.string().min(1).max(64),
  /** Until when, ms since 1970. */
  u: z.number().int(),
});

/** What a pass says. */
export interface Pass {
  readonly holder: string;
  readonly to: string;
  /** ms since 1970. */
  readonly until: number;
}

const PREFIX = "rtchat pass 1\n";
const PAIR_PREFIX = "rtchat pair 1\n";
const PAIR_LENGTH = 22;
const WHOLE = /^([A-Za-z0-9_-]{1,400})\.([A-Za-z0-9_-]{43})$/;

function sign(secret: Uint8Array, payload: string): Buffer {
  return createHmac("sha256", secret).update(PREFIX).update(payload).digest();
}

/** Signs a pass. */
export function makePass(secret: Uint8Array, { holder, to, until }: Pass): string {
  const payload = Buffer.from(JSON.stringify({ h: holder, t: to, u: until })).toString("base64url");
  return `${payload}.${sign(secret, payload).toString("base64url")}`;
}

/** A pass signed with this secret; undefined for anything else. Who asks looks at `holder` and `until`. */
export function readPass(secret: Uint8Array, text: string): Pass | undefined {
  const [, payload, proof] = WHOLE.exec(text) ?? [];
  if (payload === undefined || proof === undefined) return undefined;
  if (!timingSafeEqual(sign(secret, payload), Buffer.from(proof, "base64url"))) return undefined;
  const checked = claimsSchema.safeParse(JSON.parse(Buffer.from(payload, "base64url").toString()));
  if (!checked.success) return undefined;
  const { h, t, u } = checked.data;
  return { holder: h, to: t, until: u };
}

/** What two sessions call each other: the same from both sides, and it tells neither the other's name. */
export function pairOf(secret: Uint8Array, one: string, other: string): string {
  const both = one < other ? `${one}\n${other}` : `${other}\n${one}`;
  const mac = createHmac("sha256", secret).update(PAIR_PREFIX).update(both).digest("base64url");
  return mac.slice(0, PAIR_LENGTH);
}
