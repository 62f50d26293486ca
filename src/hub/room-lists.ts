/**
 * The list of the cluster's rooms, for whoever asks.
 *
 * Making it costs the one place that knows all rooms a look at each of them, in the middle of everybody's messages. So a
 * server asks for it only so often; asked more often than that it gives the last list again. A person never notices; a
 * program that asks without pause costs nobody else anything.
 */
import type { BackplaneFailure, RoomSummary } from "../backplane/backplane.ts";
import { TokenBucket } from "./bucket.ts";
import type { Core } from "./core.ts";

type Result = { readonly ok: true; readonly rooms: readonly RoomSummary[] } | BackplaneFailure;

/** See above. One for all sessions of a hub. */
export class RoomLists {
  readonly #core: Core;
  readonly #bucket: TokenBucket;
  #last: readonly RoomSummary[] | undefined;
  #underWay = 0;
  /** Who wants whatever list comes next, because there is none yet. */
  #waiting: ((result: Result) => void)[] = [];

  constructor(core: Core) {
    this.#core = core;
    const { roomListsPerSecond, roomListsBurst } = core.limits;
    this.#bucket = new TokenBucket(roomListsPerSecond, roomListsBurst, core.clock.monotonic());
  }

  /** Gives the list. May answer before it returns. */
  get(done: (result: Result) => void): void {
    const { backplane, clock, limits } = this.#core;
    const isDue = this.#bucket.take(clock.monotonic());
    if (!isDue && this.#last !== undefined) {
      done({ ok: true, rooms: this.#last });
      return;
    }
    if (!isDue && this.#underWay > 0) {
      this.#waiting.push(done);
      return;
    }
    this.#underWay += 1;
    backplane.rooms(limits.roomsListed, (result) => {
      this.#underWay -= 1;
      if (result.ok) this.#last = result.rooms;
      for (const answer of [done, ...this.#waiting.splice(0)]) answer(result);
    });
  }
}
