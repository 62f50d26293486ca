/** Looking something up in what is sorted. */

/**
 * The first index from `low` on, before `high`, for which `isBefore` is false; `high` if there is none.
 * @param isBefore true up to some index, false from there on
 */
export function bisect(low: number, high: number, isBefore: (index: number) => boolean): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isBefore(middle)) from = middle + 1;
    else to = middle;
  }
  return from;
}
