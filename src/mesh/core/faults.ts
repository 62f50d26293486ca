/**
 * What peers did wrong, remembered for `/why`: the last few of each, repeated ones counted instead of listed.
 */
import { floodLimits } from "../../protocol/limits.mesh.ts";
import type { Fault, PeerId, ReasonCode } from "./api.ts";

/** Faults of all peers, bounded a peer; peers that never had a link have none. */
export class Faults {
  readonly #byPeer = new Map<PeerId, Fault[]>();

  /** Notes a fault; `at` in ms since 1970. */
  note(peerId: PeerId, code: ReasonCode, detail: string, at: number): Fault {
    let all = this.#byPeer.get(peerId);
    if (all === undefined) {
      all = [];
      this.#byPeer.set(peerId, all);
    }
    const last = all[0];
    const repeated = last?.code === code;
    const fault = { peerId, code, detail, at, times: repeated ? last.times + 1 : 1 };
    if (repeated) all[0] = fault;
    else all.unshift(fault);
    if (all.length > floodLimits.faultsRemembered) all.pop();
    return fault;
  }

  /** The newest first. */
  of(peerId: PeerId): readonly Fault[] {
    return this.#byPeer.get(peerId) ?? [];
  }
}
