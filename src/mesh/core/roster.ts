/** The list of members as people see it: what the log says of each, joined with who is there now. */
import type { Member, PeerId } from "./api.ts";
import { nameKey } from "../../protocol/names.ts";
import type { PeerLink } from "./link.ts";
import type { MemberRecord, Membership } from "./membership.ts";
import type { Timelines } from "./timelines.ts";

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
  const bearers = new Map<string, number>();
  for (const key of membership.active()) {
    const name = nameKey(timelines.nick(key) ?? "");
    bearers.set(name, (bearers.get(name) ?? 0) + 1);
  }
  const isShared = (nick: string | undefined) => nick !== undefined && (bearers.get(nameKey(nick)) ?? 0) > 1;
  return [...membership.records].map(([key, record]) => describe(parts, key, record, isShared));
}

function describe(
  parts: RosterParts,
  key: string,
  record: MemberRecord,
  isShared: (nick: string | undefined) => boolean,
): Member {
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
    nickShared: record.removedAt === undefined && isShared(nick),
    role: record.role,
    removedBy: record.removedBy,
    admittedBy: record.admittedBy,
    addresses: parts.timelines.addresses(key),
    forked: record.author.forked,
    presence,
    via: presence === "via" ? via : [],
  };
}
