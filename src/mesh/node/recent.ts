/** Answers that cost more to ask for than they change. */
import type { Clock } from "../../protocol/clock.ts";

/** Asks again only when the last answer is older than `maxAgeMs`. */
export function recent<Answer>(ask: () => Answer, clock: Clock, maxAgeMs: number): () => Answer {
  let last: { readonly answer: Answer; readonly at: number } | undefined;
  return () => {
    const now = clock.monotonic();
    if (last === undefined || now - last.at >= maxAgeMs) last = { answer: ask(), at: now };
    return last.answer;
  };
}
