/**
 * Exponential backoff with full jitter: after failure `n` (from 0), a random part of `base × 2ⁿ`, at most `most`.
 * Full jitter, because clients that lost the same server at the same moment must not come back at the same moment
 * (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
import type { Random } from "../protocol/clock.ts";
import { chatClientLimits } from "../protocol/limits.client.ts";

/**
 * @param failures how many times it failed before, from 0
 * @returns ms to wait before the next attempt
 */
export function retryDelay(
  failures: number,
  random: Random,
  limits: Pick<typeof chatClientLimits, "backoffMs" | "backoffMostMs"> = chatClientLimits,
): number {
  // 2^30 is beyond any sensible maximum; without the bound a long outage would overflow into Infinity × 0.
  const most = Math.min(limits.backoffMostMs, limits.backoffMs * 2 ** Math.min(failures, 30));
  return random() * most;
}
