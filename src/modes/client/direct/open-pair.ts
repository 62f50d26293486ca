/** Opens the private mesh with a partner who has agreed, on what their client's paths have. */
import type { PeerId } from "../../../identity/peer-id.ts";
import type { PathsOptions } from "./options.ts";
import type { Pair, PairPath } from "./pair.ts";
import type { Partner } from "./partner.ts";
import type { DirectParts } from "./parts.ts";

/** How errors of relayed frames are known from others. */
export const relayId = "relay:";

/** @param moved the way there is another one, or gone. @throws Error with the system's code when no port can be opened */
export function openPair(
  options: PathsOptions,
  { device, pace, files, Pair: PairClass }: DirectParts,
  partner: Partner,
  key: PeerId,
  moved: (path: PairPath | undefined) => void,
): Pair {
  const { session, clock, isHidden, nextSeq, emit, transfer } = options;
  return new PairClass(
    {
      device,
      partner: key,
      clock,
      pace,
      files,
      isHidden,
      ownNick: () => session.nick,
      nick: () => partner.nick,
      canRelay: () => session.online && partner.pass !== undefined,
      relay: ({ stream, ...frame }) => {
        const { pass } = partner;
        if (pass === undefined) return false;
        return session.relay({ id: `${relayId}${stream}`, pass, stream, ...frame });
      },
      nextSeq,
      emit,
      moved,
      transfer: (pair, view) => transfer(pair, partner.nick, view),
    },
    partner.shown,
  );
}
