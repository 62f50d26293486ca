/** What a chat model is given, and what it tells. */
import type { Clock } from "../../protocol/clock.ts";
import type { ChatBackend } from "../backend.ts";
import type { KeptHabits } from "./habits.ts";
import type { Words } from "../language/words.ts";

/** Somebody spoke to this person. */
export interface Alert {
  readonly room: string;
  readonly from: string;
  readonly text: string;
}

export interface ChatModelOptions {
  readonly backend: ChatBackend;
  readonly words: Words;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  /** Something that is shown has changed. */
  readonly changed: () => void;
  /** Called for mentions and direct messages of others, as they come. */
  readonly alert: (alert: Alert) => void;
  /** What was kept of an earlier run. */
  readonly habits?: KeptHabits;
  /** How far a room was read in an earlier run, if that is known. */
  readonly remembered?: (room: string, epoch: string) => number | undefined;
}
