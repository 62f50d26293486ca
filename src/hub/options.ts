/** What a hub is given. It has no sockets, clock, randomness or secrets of its own. */
import type { Backplane } from "../backplane/backplane.ts";
import type { Clock, Random } from "../protocol/clock.ts";
import { backplaneLimits, clientLimits, hubLimits, introductionLimits } from "../protocol/limits.ts";
import type { Logger } from "../protocol/logger.ts";

type Numbers<T> = { readonly [K in keyof T]: number };

/** The bounds a hub keeps; tests pass smaller ones. */
export type HubLimits = Numbers<typeof clientLimits> &
  Numbers<typeof hubLimits> &
  Numbers<typeof introductionLimits> & {
    /** How long a session whose connection was lost keeps its nick and its rooms. */
    readonly graceMs: number;
  };

/** The limits of the protocol. */
export const defaultHubLimits: HubLimits = {
  ...clientLimits,
  ...hubLimits,
  ...introductionLimits,
  graceMs: backplaneLimits.graceMs,
};

/** How a hub is made. */
export interface HubOptions {
  readonly backplane: Backplane;
  /** The server's name, for people. */
  readonly server: string;
  /** The program's version, for operators. */
  readonly build: string;
  /** The cluster's secret: signs resume tokens, so that every server of the cluster honours them. */
  readonly secret: Uint8Array;
  /** Who says it may put others out; without it nobody may. */
  readonly operatorSecret?: string | undefined;
  readonly clock: Clock;
  /** Makes names that must not repeat; nothing secret comes from it. */
  readonly random: Random;
  readonly logger: Logger;
  readonly limits?: Partial<HubLimits>;
}
