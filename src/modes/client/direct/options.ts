/** What direct paths are given. */
import type { ClientListener } from "../../../client/events.ts";
import type { Session } from "../../../client/session.ts";
import type { TransferView } from "../../../mesh/transfer/transfer.ts";
import type { Clock } from "../../../protocol/clock.ts";
import type { Words } from "../../../tui/language/words.ts";
import type { Pair } from "./pair.ts";
import type { DirectParts } from "./parts.ts";

/** See above. */
export interface PathsOptions {
  readonly session: Pick<Session, "nick" | "online" | "request" | "relay">;
  readonly clock: Clock;
  readonly words: Words;
  /** Only the relay: this machine's addresses are told to nobody. */
  readonly isHidden: boolean;
  /** May fail: with IdentityError, StateFileError. */
  readonly load: () => Promise<DirectParts>;
  /** Where names are remembered: the cluster, as it calls itself, and where we reach it, which it cannot choose. */
  readonly scopes: () => readonly string[];
  readonly nextSeq: () => number;
  readonly emit: ClientListener;
  /** A file to or from somebody goes on, or ends. */
  readonly transfer: (pair: Pair, nick: string, view: TransferView) => void;
}
