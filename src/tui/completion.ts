/**
 * What Tab offers, from the text before the cursor. Pure: screens differ only in how they show the candidates.
 */
import { nameKey } from "../protocol/names.ts";
import type { Command } from "./commands/command.ts";

/** What may be completed with. */
export interface CompletionSources {
  readonly commands: readonly Command[];
  /** Nicks in reach, the likeliest first. */
  readonly nicks: readonly string[];
  /** Rooms this person is in. */
  readonly joined: readonly string[];
  /** Rooms known of. */
  readonly rooms: readonly string[];
  /** Emoji for the beginning of a word. */
  readonly emoji?: (typed: string) => readonly string[];
}

/** Candidates for the text from `from` to the cursor; each replaces that text whole. */
export interface Completion {
  readonly from: number;
  readonly candidates: readonly string[];
}

function beginning(candidates: readonly string[], typed: string): string[] {
  const key = nameKey(typed);
  return candidates.filter((candidate) => nameKey(candidate).startsWith(key));
}

function completeArgument(command: Command, word: string, sources: CompletionSources): string[] {
  const mark = /^[#@]/.exec(word)?.[0] ?? "";
  const bare = word.slice(mark.length);
  switch (command.completes) {
    case "nick":
      return beginning(sources.nicks, bare).map((nick) => `${mark}${nick} `);
    case "room":
      return beginning([...new Set([...sources.joined, ...sources.rooms])], bare).map((room) => mark + room);
    case "joined-room":
      return beginning(sources.joined, bare).map((room) => mark + room);
    case "command":
      return beginning(
        sources.commands.map(({ name }) => name),
        bare,
      );
    case "nothing":
      return [];
  }
}

/**
 * @param before the text of the line up to the cursor
 * @returns no candidates where there is nothing to offer
 */
export function complete(before: string, sources: CompletionSources): Completion {
  const from = before.search(/\S*$/);
  const word = before.slice(from);
  const command = /^\/(\S+)\s/.exec(before);
  if (command !== null && !word.startsWith(":")) {
    const found = sources.commands.find(
      ({ name, aliases }) => name === command[1] || aliases.includes(command[1] ?? ""),
    );
    const first = /^\/\S+\s+\S*$/.test(before);
    if (found !== undefined && first) return { from, candidates: completeArgument(found, word, sources) };
  } else if (/^\/[^/\s]*$/.test(before)) {
    const names = sources.commands.map(({ name }) => `/${name}`);
    return { from: 0, candidates: names.filter((name) => name.startsWith(before)).map((name) => `${name} `) };
  }
  if (word === "") return { from, candidates: [] };
  const named = /^:([\p{L}\d_+-]{2,}):?$/u.exec(word)?.[1];
  if (named !== undefined) {
    return { from, candidates: (sources.emoji?.(named) ?? []).map((emoji) => `${emoji} `) };
  }
  const mark = word.startsWith("@") ? "@" : "";
  const bare = word.slice(mark.length);
  const after = from === 0 && mark === "" ? ": " : " ";
  return { from, candidates: beginning(sources.nicks, bare).map((nick) => `${mark}${nick}${after}`) };
}

/** The longest beginning that all candidates share. */
export function commonPrefix(candidates: readonly string[]): string {
  const [first = "", ...rest] = candidates;
  let length = first.length;
  for (const candidate of rest) {
    let same = 0;
    while (same < length && candidate[same] === first[same]) same += 1;
    length = same;
  }
  return first.slice(0, length);
}
