/**
 * Addresses that operators refuse: a record each in a log of its own, which every server follows.
 *
 * So a ban holds on all servers of the cluster at once, outlives them, and needs nobody to remember whom to ask. A ban
 * that is lifted stays in the log as a record without one. What has run out is left where it is and counts for nothing.
 *
 * Invariant: once the log is followed, no session of a refused address is welcomed here, and those that were are closed.
 */
import { z } from "zod";
import type { BackplaneFailure, RoomSubscriber, Snapshot } from "../backplane/backplane.ts";
import type { Timer } from "../protocol/clock.ts";
import type { Ban } from "../protocol/messages.ts";
import { NetworkMap, parseNetwork, type Network } from "../protocol/network.ts";
import type { Core } from "./core.ts";
import { hostOf } from "./origin.ts";
import type { Session } from "./session.ts";

/** The log. No room can be called so, and no inbox or reader's log is. */
export const BANS = "!";

/** Of the calendar, ms since 1970 (ECMA-262, 21.4.1.1). */
const LAST_DATE = 8.64e15;

const recordSchema = z.nullable(
  z.object({
    at: z.number(),
    by: z.string(),
    until: z.number().max(LAST_DATE).exactOptional(),
    reason: z.string().exactOptional(),
  }),
);

/** What is kept of a ban; null for one that was lifted. */
export type BanRecord = z.infer<typeof recordSchema>;

function readRecord(value: string): BanRecord {
  try {
    return recordSchema.safeParse(JSON.parse(value)).data ?? null;
  } catch {
    return null;
  }
}

/** `2026-11-29 12:00 UTC`; undefined if it is for good. */
function endOf({ until }: Ban): string | undefined {
  return until === undefined
    ? undefined
    : `${new Date(until).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** See above. */
export class Bans implements RoomSubscriber {
  readonly #core: Core;
  readonly #bans = new NetworkMap<Ban>();
  #again: Timer | undefined;
  #following = false;
  #closed = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Follows the log, and tries again while it is out of reach. */
  open(): void {
    const { backplane, clock, limits } = this.#core;
    if (this.#closed) return;
    this.#following = true;
    backplane.subscribe(BANS, this, (result: { ok: true; snapshot: Snapshot } | BackplaneFailure) => {
      if (this.#closed) return;
      if (result.ok) this.reset(result.snapshot);
      else {
        this.#following = false;
        this.#again = clock.after(limits.retryMostMs, () => this.open());
      }
    });
  }

  close(): void {
    this.#closed = true;
    this.#again?.stop();
    if (this.#following) this.#core.backplane.unsubscribe(BANS);
  }

  reset({ records }: Snapshot): void {
    this.#bans.clear();
    for (const [text, value] of records) this.#set(text, value);
    this.#enforce();
  }

  record(text: string, value: string): void {
    this.#set(text, value);
    this.#enforce();
  }

  appended(): void {}
  presence(): void {}

  #set(text: string, value: string): void {
    const network = parseNetwork(text);
    if (network === undefined) return;
    const ban = readRecord(value);
    const isOver = ban?.until !== undefined && ban.until <= this.#core.clock.now();
    if (ban === null || isOver) this.#bans.delete(network);
    else this.#bans.set(network, { address: network.text, ...ban });
  }

  #enforce(): void {
    for (const session of this.#core.sessions.values()) this.refuse(session);
  }

  /** Closes a session whose address is refused. @returns whether it is */
  refuse(session: Session): boolean {
    if (this.#bans.size === 0) return false;
    const ban = this.#find(hostOf(session.origin.address));
    if (ban === undefined) return false;
    const until = endOf(ban);
    const end = until === undefined ? "" : ` until ${until}`;
    const why = ban.reason === undefined ? "" : `: ${ban.reason}`;
    session.close("banned", `an operator refuses connections from your address${end}${why}`, until);
    return true;
  }

  #find(ip: string): Ban | undefined {
    const now = this.#core.clock.now();
    for (const ban of this.#bans.find(ip)) if (ban.until === undefined || ban.until > now) return ban;
    return undefined;
  }

  /** There is a ban of exactly this network, which may have run out. */
  has(network: Network): boolean {
    return this.#bans.has(network);
  }

  /** Those that hold now, the oldest first. */
  list(): Ban[] {
    const now = this.#core.clock.now();
    const all: Ban[] = [];
    for (const [, ban] of this.#bans.entries()) if (ban.until === undefined || ban.until > now) all.push(ban);
    return all.sort((a, b) => a.at - b.at);
  }
}
