/**
 * Lists used as sets of a few: the rooms of a session, the servers that listen to a room. A Set of one or two takes eight
 * times the memory, and there are tens of thousands of them.
 */

/** Adds an item. @returns false if it is there already */
export function addOnce<T>(list: T[], item: T): boolean {
  if (list.includes(item)) return false;
  list.push(item);
  return true;
}

/** Removes an item, in any order of the rest. @returns false if it is not there */
export function removeFrom<T>(list: T[], item: T): boolean {
  const at = list.indexOf(item);
  if (at === -1) return false;
  list.splice(at, 1);
  return true;
}
