/**
 * What a person expects to find as they left it: in which rooms they are, which one is in front, which are silent, and of
 * whom they read nothing. Whoever starts a screen gives it what was kept, and is told of every change.
 */
import { nameKey } from "../../protocol/names.ts";

/** As kept from one run to the next. */
export interface KeptHabits {
  /** In their order. */
  readonly rooms: readonly string[];
  /** The one in front. */
  readonly front: string | undefined;
  /** Nicks, as they were written. */
  readonly ignored: readonly string[];
  /** Rooms and conversations. */
  readonly muted: readonly string[];
  /** Words that are as good as the person's nick. */
  readonly highlights: readonly string[];
}

export const NO_HABITS: KeptHabits = { rooms: [], front: undefined, ignored: [], muted: [], highlights: [] };

/** What a screen is given. */
export interface HabitKeeping {
  readonly kept: KeptHabits;
  /** Called with all of it when some of it is another. */
  readonly keep: (habits: KeptHabits) => void;
}

/** Names of which each is in or not, whatever the case of its letters. */
export class NameSet {
  readonly #names: Map<string, string>;

  constructor(names: readonly string[] = []) {
    this.#names = new Map(names.map((name) => [nameKey(name), name]));
  }

  has(name: string): boolean {
    return this.#names.has(nameKey(name));
  }

  /** @returns whether it is in now */
  toggle(name: string): boolean {
    const key = nameKey(name);
    if (this.#names.delete(key)) return false;
    this.#names.set(key, name);
    return true;
  }

  get names(): readonly string[] {
    return [...this.#names.values()];
  }
}

/** Tells `keep` of what has changed since it was last told. */
export class HabitTeller {
  readonly #keep: (habits: KeptHabits) => void;
  #told: string;

  constructor({ kept, keep }: HabitKeeping) {
    this.#keep = keep;
    this.#told = JSON.stringify(kept);
  }

  now({ rooms, front, ignored, muted, highlights }: KeptHabits): void {
    const habits = { rooms, front, ignored, muted, highlights };
    const text = JSON.stringify(habits);
    if (text === this.#told) return;
    this.#told = text;
    this.#keep(habits);
  }
}

/** What of a screen is kept. Conversations are not: another run has another inbox. */
export function habitsOf(model: {
  readonly rooms: readonly { readonly name: string; readonly isDirect: boolean }[];
  readonly active: { readonly name: string };
  readonly people: { readonly ignored: readonly string[]; readonly highlights: NameSet };
  readonly muted: NameSet;
}): KeptHabits {
  const rooms = model.rooms.filter(({ isDirect }) => !isDirect).map(({ name }) => name);
  const front = rooms.find((name) => name === model.active.name);
  const { ignored, highlights } = model.people;
  return { rooms, front, ignored, muted: model.muted.names, highlights: highlights.names };
}
