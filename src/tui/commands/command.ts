/**
 * What a command is, and what it may do.
 *
 * Commands know no screen: they act on the chat through {@link CommandContext} and say what they have to say in whole
 * lines. So the same table serves line mode, the full screen and peers. Text given to the context is foreign or our own
 * alike, and is sanitised by the screen that shows it.
 */
import type { Message } from "../../protocol/messages.ts";
import type { ChatBackend, SendExtras } from "../backend.ts";
import type { Words } from "../language/words.ts";

/** What a command may touch. */
export interface CommandContext {
  readonly backend: ChatBackend;
  readonly words: Words;
  /** Where typed text goes: a room's key, `@nick`, or undefined. */
  readonly target: string | undefined;
  /** Makes a room or `@nick` the target. */
  focus(target: string): void;
  /** Puts a conversation `@nick` away, whatever the case of its letters. @returns false if there is none */
  close(conversation: string): boolean;
  /** Lines of information. */
  say(...lines: readonly string[]): void;
  /** One line: what went wrong. */
  complain(line: string): void;
  /** Sends to a room or `@nick`, and shows it if that fails. */
  send(target: string, text: string, extras?: SendExtras): void;
  /** The latest message of a room that fits, among those at hand. */
  latest(room: string, fits: (message: Message) => boolean): Message | undefined;
  /** Whether a message of ours for a room is under way: it is none of those at hand yet. */
  isSending(room: string): boolean;
  /** Shows a message of a room with what was said around it. */
  jump(room: string, seq: number): void;
  /** Reads nothing of somebody, or everything again. @returns whether they are ignored now */
  ignore(nick: string): boolean;
  /** Words that are as good as this person's nick. */
  readonly highlights: { readonly names: readonly string[]; toggle(word: string): boolean };
  /** Lets a room be silent, or not. @returns whether it is silent now; undefined if there is no such room */
  mute(room: string): boolean | undefined;
  /** Messages that spoke to this person, the oldest first. */
  readonly spoken: readonly Message[];
  /** Older messages of a room, as answered. */
  showHistory(room: string, messages: readonly Message[]): void;
  /** The first seq of a room that is on the screen; undefined if none is. */
  oldest(room: string): number | undefined;
  /** The nearest of the words that exist, if one is near. */
  suggest(word: string, candidates: readonly string[]): string | undefined;
  quit(): void;
  /** How to copy what is longer than a row, where the terminal does not break lines itself. */
  readonly copyHint?: string;
}

/** What a command completes after its name. */
export type Completes = "nick" | "room" | "joined-room" | "command" | "nothing";

/** The name of a command, and of its text in the catalogue. */
export type CommandName = keyof Words["commands"];

/** A row of the table. Usage and description are in the language catalogue, under the same name. */
export interface Command {
  readonly name: CommandName;
  /** Short forms and what other programs call it. */
  readonly aliases: readonly string[];
  readonly completes: Completes;
  /** @param rest what follows the name, trimmed */
  run(context: CommandContext, rest: string): void;
}

/** Words that separate at any white space; the last one takes the rest. */
export function splitWords(rest: string, most: number): string[] {
  const words: string[] = [];
  let left = rest.trim();
  while (left !== "" && words.length < most - 1) {
    const [, word = "", more = ""] = /^(\S+)\s*([\s\S]*)$/.exec(left) ?? [];
    words.push(word);
    left = more;
  }
  if (left !== "") words.push(left);
  return words;
}

/** `#lobby` as people write it, and `lobby`, are the same room. */
export function roomName(written: string): string {
  return written.replace(/^#/, "");
}
