/** What every part of the bench gives to the report: runs by entrant, and bars to judge them by. */
import type { Figure, Figures } from "./figures.ts";

/** `ours / theirs` must be at least or at most so much. Of several opponents the best one counts. */
export interface Bar {
  readonly figure: Figure;
  /** The entrant that is judged; `rtchat` unless said. */
  readonly ours?: string;
  /** Entrants it is compared with. */
  readonly against: readonly string[];
  /** Their common name, where there are several or the name says too little. */
  readonly called?: string;
  readonly least?: number;
  readonly most?: number;
  /** Why it is not met when it is not: printed then. */
  readonly why: string;
}

/** An entrant that nobody is: figures that are asked for themselves, not beside somebody else's. */
export const askedFor = "asked for";

/** The measured part of a scenario. */
export interface Section {
  readonly name: string;
  readonly title: string;
  /** How the runs were made: "5 runs of 5 s". */
  readonly method: string;
  readonly figures: readonly Figure[];
  readonly bars: readonly Bar[];
  /** By entrant, in the order run. */
  readonly runs: ReadonlyMap<string, readonly Figures[]>;
  /** What a reader must know: who is missing and why, what failed. */
  readonly notes: readonly string[];
  /** Something that should have been measured was not, or something was lost. */
  readonly failed: boolean;
}

/** How long and how often, by the command's flags. */
export interface Pace {
  readonly full: boolean;
  readonly rounds: number;
  /** Runs where each takes long: connections in the thousands, queues that have to overflow. */
  readonly roundsLong: number;
  /** How long a run is where something has to overflow, ms. */
  readonly longMs: number;
  /** Before the first run of each entrant, not counted, ms. */
  readonly warmMs: number;
  /** At the start of each run, not counted, ms. */
  readonly rampMs: number;
  readonly runMs: number;
}

/** Everything a part needs. */
export interface Bench {
  readonly binary: string;
  readonly pace: Pace;
  /** Whether the person asked for this entrant. */
  readonly wanted: (entrant: string) => boolean;
  /** Tells what is going on, on stderr. */
  readonly progress: (text: string) => void;
}

/** Collects the runs of a section, in which entrants may be missing or fail without ending the rest. */
export class Collection {
  readonly runs = new Map<string, Figures[]>();
  readonly notes: string[] = [];
  failed = false;

  add(entrant: string, figures: Figures): void {
    const runs = this.runs.get(entrant);
    if (runs === undefined) this.runs.set(entrant, [figures]);
    else runs.push(figures);
  }

  /** An opponent that is not there: said, but no failure. */
  missing(entrant: string, why: string): void {
    this.notes.push(`${entrant}: ${why}`);
  }

  /** Something did not work that should have. */
  failure(entrant: string, error: unknown): void {
    this.failed = true;
    this.notes.push(`${entrant} FAILED: ${error instanceof Error ? error.message : String(error)}`);
  }
}
