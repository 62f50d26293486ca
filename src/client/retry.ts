/** How long a client waits before it tries again, whatever it is that failed. */
import { backoffDelay } from "../net/backoff.ts";
import type { Random } from "../protocol/clock.ts";
import { chatClientLimits } from "../protocol/limits.client.ts";

const bounds = { firstMs: chatClientLimits.backoffMs, mostMs: chatClientLimits.backoffMostMs };

/**
 * @param failures how many times it failed before, from 0
 * @param mostMs bounds the delay further
 * @returns ms to wait before the next attempt
 */
export function retryDelay(failures: number, random: Random, mostMs: number = bounds.mostMs): number {
  return backoffDelay(failures, { ...bounds, mostMs }, random);
}
