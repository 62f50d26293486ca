/**
 * Members whose names look alike, marked as those who share one.
 *
 * The log lets everybody be called what they like, and must: what is valid there may not depend on a table that grows with
 * every version of Unicode. So nobody is refused; but `аnа` with Cyrillic letters and `ana` are both shown with the head of
 * their IDs, as two who are both called `ana` are.
 */
import { likenessKey } from "../../protocol/look-alikes.ts";
import type { Member, PeerId } from "../core/api.ts";

/** Symbols in a group of an ID, and before the first. */
const GROUP = 5;
const PREFIX = "rt1".length;

/** The same members in the same order. */
export function markLookAlikes(members: readonly Member[]): readonly Member[] {
  const groups = new Map<string, Member[]>();
  for (const member of members) {
    if (member.nick === undefined) continue;
    const key = likenessKey(member.nick);
    const others = groups.get(key);
    if (others === undefined) groups.set(key, [member]);
    else others.push(member);
  }
  const marked = new Map<Member, Member>();
  for (const group of groups.values()) if (group.length > 1) mark(group, marked);
  return marked.size === 0 ? members : members.map((member) => marked.get(member) ?? member);
}

/** As in core/roster.ts: of those who are here, one alone may have a name unmarked, and heads are as long as it takes. */
function mark(group: readonly Member[], marked: Map<Member, Member>): void {
  const active = group.filter(({ removedBy }) => removedBy === undefined).length;
  for (const member of group) {
    const others = group.filter((one) => one !== member);
    const same = Math.max(...others.map(({ peerId }) => sameSymbols(member.peerId, peerId)));
    const headSymbols = Math.max(member.headSymbols, GROUP * (Math.floor(same / GROUP) + 1));
    const nickShared = member.removedBy === undefined ? active > 1 : true;
    marked.set(member, { ...member, nickShared, headSymbols });
  }
}

/** Symbols at the start of two IDs that are the same. */
function sameSymbols(one: PeerId, other: PeerId): number {
  let at = PREFIX;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at - PREFIX;
}
