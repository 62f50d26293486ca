/**
 * How long a certificate is still good, and when its end is near enough to be said.
 *
 * Whatever renews certificates does so when about a third of their life is left, be it of ninety days or of six. So the end
 * is near when a part of the life is left that a working renewal never leaves, and at most so many days.
 */
import { tlsLimits } from "./limits.ts";

/** From when until when, ISO 8601. */
export interface Validity {
  readonly notBefore: string;
  readonly notAfter: string;
}

/** `ending`: it should have been renewed by now. `ended`: clients refuse it. */
export type ValidityState = "good" | "ending" | "ended";

/** @param now ms since 1970 */
export function validityState({ notBefore, notAfter }: Validity, now: number): ValidityState {
  const end = Date.parse(notAfter);
  if (end <= now) return "ended";
  const life = end - Date.parse(notBefore);
  return end - now < Math.min(tlsLimits.endingMs, life * tlsLimits.endingPart) ? "ending" : "good";
}
