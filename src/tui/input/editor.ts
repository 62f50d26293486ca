/**
 * The line being typed, as a value: each edit makes a new one, so that undo is keeping the old ones and a draft is just
 * kept. Movements go by grapheme cluster, so that an emoji of seven code points is one step and one Backspace.
 *
 * Invariant: `cursor` is a cluster's boundary, from 0 to the length of `text`.
 */

/** Text with a place in it. */
export interface Editing {
  readonly text: string;
  /** In UTF-16 units. */
  readonly cursor: number;
}

export const EMPTY: Editing = { text: "", cursor: 0 };

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const WORD = /[\p{L}\p{M}\p{N}_]/u;

function edit(text: string, cursor: number): Editing {
  return { text, cursor };
}

/** The boundary before `at`. */
function previous(text: string, at: number): number {
  // A cluster is short, but where one begins depends on what is before: a window is enough for all but art.
  const start = Math.max(0, at - 128);
  let boundary = start;
  for (const { index } of graphemes.segment(text.slice(start, at))) boundary = start + index;
  return at === 0 ? 0 : boundary;
}

/** The boundary after `at`. */
function next(text: string, at: number): number {
  const [first] = graphemes.segment(text.slice(at, at + 128));
  return at + (first?.segment.length ?? 0);
}

/** As readline's backward-word: over what is no word, then over the word. */
function wordLeft(text: string, at: number): number {
  let to = at;
  while (to > 0 && !WORD.test(pointBefore(text, to))) to -= pointBefore(text, to).length;
  while (to > 0 && WORD.test(pointBefore(text, to))) to -= pointBefore(text, to).length;
  return to;
}

function wordRight(text: string, at: number): number {
  let to = at;
  while (to < text.length && !WORD.test(pointAt(text, to))) to += pointAt(text, to).length;
  while (to < text.length && WORD.test(pointAt(text, to))) to += pointAt(text, to).length;
  return to;
}

/** As unix-word-rubout: back over white space, then over everything else. */
function spaceLeft(text: string, at: number): number {
  return text.slice(0, at).replace(/\S+\s*$|\s+$/u, "").length;
}

function pointAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 0);
}

function pointBefore(text: string, at: number): string {
  const low = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low <= 0xdfff && at >= 2 ? text.slice(at - 2, at) : text.slice(at - 1, at);
}

function lineStart(text: string, at: number): number {
  return at === 0 ? 0 : text.lastIndexOf("\n", at - 1) + 1;
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end === -1 ? text.length : end;
}

/** Puts text in at the cursor. */
export function insert({ text, cursor }: Editing, added: string): Editing {
  return edit(text.slice(0, cursor) + added + text.slice(cursor), cursor + added.length);
}

/** Moves by name. */
export const movements = {
  left: ({ text, cursor }: Editing) => edit(text, previous(text, cursor)),
  right: ({ text, cursor }: Editing) => edit(text, next(text, cursor)),
  "word-left": ({ text, cursor }: Editing) => edit(text, wordLeft(text, cursor)),
  "word-right": ({ text, cursor }: Editing) => edit(text, wordRight(text, cursor)),
  "line-start": ({ text, cursor }: Editing) => edit(text, lineStart(text, cursor)),
  "line-end": ({ text, cursor }: Editing) => edit(text, lineEnd(text, cursor)),
  start: ({ text }: Editing) => edit(text, 0),
  end: ({ text }: Editing) => edit(text, text.length),
} as const;

/** The line above or below in a text of several lines, at the same offset; undefined at the first or last. */
export function moveLine({ text, cursor }: Editing, by: -1 | 1): Editing | undefined {
  const start = lineStart(text, cursor);
  const offset = cursor - start;
  if (by === -1) {
    if (start === 0) return undefined;
    const above = lineStart(text, start - 1);
    return snap(text, Math.min(above + offset, start - 1));
  }
  const end = lineEnd(text, cursor);
  if (end === text.length) return undefined;
  return snap(text, Math.min(end + 1 + offset, lineEnd(text, end + 1)));
}

/** The boundary at or before `at`. */
function snap(text: string, at: number): Editing {
  const start = lineStart(text, at);
  let boundary = start;
  for (const { index, segment } of graphemes.segment(text.slice(start, lineEnd(text, at)))) {
    if (start + index > at) break;
    boundary = start + index;
    if (start + index + segment.length <= at) boundary = start + index + segment.length;
  }
  return edit(text, boundary);
}

/** What a kill took, for yank. */
export interface Kill {
  readonly editing: Editing;
  readonly killed: string;
}

function cut({ text, cursor }: Editing, from: number, to: number): Kill {
  const moved = cursor > to ? cursor - (to - from) : Math.min(cursor, from);
  return { editing: edit(text.slice(0, from) + text.slice(to), moved), killed: text.slice(from, to) };
}

/** Takes away by name; what was taken can be yanked unless it was a single cluster. */
export const deletions = {
  "delete-left": (state: Editing) => cut(state, previous(state.text, state.cursor), state.cursor),
  "delete-right": (state: Editing) => cut(state, state.cursor, next(state.text, state.cursor)),
  "kill-word-left": (state: Editing) => cut(state, wordLeft(state.text, state.cursor), state.cursor),
  "kill-word-right": (state: Editing) => cut(state, state.cursor, wordRight(state.text, state.cursor)),
  "kill-space-left": (state: Editing) => cut(state, spaceLeft(state.text, state.cursor), state.cursor),
  "kill-line-left": (state: Editing) => cut(state, lineStart(state.text, state.cursor), state.cursor),
  "kill-line-right": (state: Editing) => {
    const end = lineEnd(state.text, state.cursor);
    // At the end of a line its break goes, as in Emacs.
    return cut(state, state.cursor, end === state.cursor ? next(state.text, end) : end);
  },
} as const;

/** Swaps the clusters around the cursor, as readline's transpose-chars. */
export function transpose(state: Editing): Editing {
  const { text, cursor } = state;
  if (cursor === 0) return state;
  const middle = cursor === text.length ? previous(text, cursor) : cursor;
  const from = previous(text, middle);
  const to = next(text, middle);
  if (from === middle) return state;
  return edit(text.slice(0, from) + text.slice(middle, to) + text.slice(from, middle) + text.slice(to), to);
}

/** Replaces the text from `from` to the cursor, as Tab does. */
export function replaceBefore({ text, cursor }: Editing, from: number, by: string): Editing {
  return edit(text.slice(0, from) + by + text.slice(cursor), from + by.length);
}
