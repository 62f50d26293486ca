/** The list of members as people see it: what the log says of each, joined with who is there now. */
import type { Member, PeerId } from "./api.ts";
import { nameKey } from "../../protocol/names.ts";
import type { PeerLink } from "./link.ts";
import type { MemberRecord, Membership } from "./membership.ts";
import type { Timelines } from "./timelines.ts";

const prefix = "rt1";
/** Symbols in a group of an ID. */
const headGroup = 5;

/** What a roster is made of. */
export interface RosterParts {
  /** This device's key, hex. */
  readonly self: string;
  readonly membership: Membership;
  readonly timelines: Timelines;
  readonly links: ReadonlyMap<string, PeerLink>;
}

/** All members, removed ones too, in the order in which they were admitted. */
export function describeMembers(parts: RosterParts): Member[] {
  const { membership, timelines } = parts;
  const byName = new Map<string, MemberRecord[]>();
  for (const [key, record] of membership.records) {
    const name = nameKey(timelines.nick(key) ?? "");
    const others = byName.get(name);
    if (others === undefined) byName.set(name, [record]);
    else others.push(record);
  }
  const heads = new Map<MemberRecord, Head>();
  for (const namesakes of byName.values()) findHeads(namesakes, heads);
  return [...membership.records].map(([key, record]) => describe(parts, key, record, heads.get(record)));
}

/** How somebody is told from others of the same name. */
interface Head {
  readonly isShared: boolean;
  readonly symbols: number;
}

/**
 * Of those who are here, one alone may have a name unmarked; what somebody removed wrote must not be taken for theirs. A few
 * symbols of an ID can be had by trying keys, so a head has as many as it takes, in groups as IDs are written in.
 */
function findHeads(namesakes: readonly MemberRecord[], heads: Map<MemberRecord, Head>): void {
  const active = namesakes.filter(({ removedAt }) => removedAt === undefined).length;
  const sorted = namesakes.toSorted((a, b) => (a.author.peerId < b.author.peerId ? -1 : 1));
  let before = 0;
  for (const [index, record] of sorted.entries()) {
    const after = alike(record, sorted[index + 1]);
    const symbols = headGroup * (Math.floor(Math.max(before, after) / headGroup) + 1);
    const isShared = record.removedAt === undefined ? active > 1 : namesakes.length > 1;
    heads.set(record, { isShared, symbols });
    before = after;
  }
}

/** Symbols at the start of two IDs that are the same. */
function alike(a: MemberRecord, b: MemberRecord | undefined): number {
  const [one, other] = [a.author.peerId, b?.author.peerId ?? ""];
  let at = prefix.length;
  while (at < other.length && one[at] === other[at]) at += 1;
  return at - prefix.length;
}

function describe(parts: RosterParts, key: string, record: MemberRecord, head: Head | undefined): Member {
  const nick = parts.timelines.nick(key);
  const via: PeerId[] = [];
  for (const link of parts.links.values())
    if (link.announced.has(key) && link.key !== key) via.push(link.author.peerId);
  let presence: Member["presence"] = via.length > 0 ? "via" : "away";
  if (parts.links.has(key)) presence = "linked";
  if (key === parts.self) presence = "self";
  return {
    peerId: record.author.peerId,
    nick,
    nickShared: nick !== undefined && head?.isShared === true,
    headSymbols: head?.symbols ?? headGroup,
    role: record.role,
    removedBy: record.removedBy,
    admittedBy: record.admittedBy,
    addresses: parts.timelines.addresses(key),
    forked: record.author.forks > 0,
    presence,
    via: presence === "via" ? via : [],
  };
}
