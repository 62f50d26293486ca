/** "Did you mean": the closest of the words that exist. */
import leven from "leven";

/**
 * The candidate nearest to a mistyped word, or undefined when none is near: at most a third of the word wrong, or the
 * word is the beginning of exactly one candidate.
 */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  const begun = candidates.filter((candidate) => lower.length >= 2 && candidate.startsWith(lower));
  if (begun.length === 1) return begun[0];
  const limit = Math.max(1, Math.ceil(lower.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const distance = leven(lower, candidate, { maxDistance: bestDistance });
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
