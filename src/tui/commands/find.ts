/** Commands that find: messages by their words, people, mentions; and those that let one hear less. */
import { failureIn } from "../language/words.ts";
import { screenLimits } from "../../protocol/limits.client.ts";
import type { Found, Message } from "../../protocol/messages.ts";
import { parseNick, parseRoom } from "../../protocol/names.ts";
import { isWord } from "../model/mentions.ts";
import type { Command, CommandContext, CommandName } from "./command.ts";
import { roomName, splitWords } from "./command.ts";
import { excerpt } from "./excerpt.ts";

function usage(context: CommandContext, name: CommandName): void {
  context.complain(context.words.usage(context.words.commands[name][0]));
}

/** What `/search` was asked for. */
interface Wanted {
  readonly room: string;
  readonly words: string;
  readonly from: string | undefined;
}

/** `words from:nick in:room`, in any order. @throws ProtocolError for names that are none */
function readSearch(context: CommandContext, rest: string): Wanted | undefined {
  let room = context.target?.startsWith("@") === false ? context.target : undefined;
  let from: string | undefined;
  const words: string[] = [];
  for (const word of rest.split(/\s+/).filter(Boolean)) {
    const [, name, value = ""] = /^(in|from):(.+)$/.exec(word) ?? [];
    if (name === "in") room = parseRoom(roomName(value));
    else if (name === "from") from = parseNick(value.replace(/^@/, ""));
    else words.push(word);
  }
  if (words.length === 0 && from === undefined) usage(context, "search");
  else if (room === undefined) context.complain(context.words.noRoom);
  else return { room, words: words.join(" "), from };
  return undefined;
}

/** A message as a line of a list. @param words that it was found by */
function line({ seq, from, text }: Message, words = ""): string {
  return `  ${seq}  ${from}: ${excerpt(text, words)}`;
}

class Search {
  readonly #context: CommandContext;
  readonly #wanted: Wanted;
  #messages: readonly Message[] = [];
  #looked = 0;
  #replies = 0;

  constructor(context: CommandContext, wanted: Wanted) {
    this.#context = context;
    this.#wanted = wanted;
  }

  /** Asks for the next part, until enough was found or looked through. */
  ask(before: number | undefined): void {
    const { room, words, from } = this.#wanted;
    const limit = screenLimits.searchShown - this.#messages.length;
    const bounds = { ...(before === undefined ? {} : { before }), ...(from === undefined ? {} : { from }) };
    const request = { type: "search", room, words, limit, ...bounds } as const;
    const taken = this.#context.backend.session.request(request, (answer) => {
      if (!answer.ok) this.#context.complain(failureIn(this.#context.words, answer));
      else if (answer.message.type === "found") this.#take(answer.message);
    });
    if (!taken.ok) this.#context.complain(failureIn(this.#context.words, taken));
  }

  #take({ messages, looked, more, next }: Found): void {
    this.#messages = [...messages, ...this.#messages];
    this.#looked += looked;
    this.#replies += 1;
    const enough =
      this.#messages.length >= screenLimits.searchShown || this.#replies >= screenLimits.searchReplies;
    if (more && !enough) this.ask(next);
    else this.#show(more);
  }

  #show(more: boolean): void {
    const context = this.#context;
    const { words } = context;
    const count = this.#messages.length;
    if (count === 0) context.say(words.foundNone(this.#looked, more));
    else {
      const lines = this.#messages.map((message) => line(message, this.#wanted.words));
      const { room } = this.#wanted;
      // A number means a message of the room in front.
      const hint = room === context.target ? words.foundMore : words.foundElsewhere(room);
      context.say(words.found(count, this.#looked), ...lines, hint);
    }
  }
}

export const searchCommand: Command = {
  name: "search",
  aliases: ["find", "s"],
  completes: "nothing",
  run(context, rest) {
    const wanted = readSearch(context, rest);
    if (wanted !== undefined) new Search(context, wanted).ask(undefined);
  },
};

export const jumpCommand: Command = {
  name: "jump",
  aliases: ["goto"],
  completes: "nothing",
  run(context, rest) {
    const seq = /^\d{1,15}$/.test(rest) ? Number(rest) : 0;
    if (seq < 1) usage(context, "jump");
    else if (context.target === undefined) context.complain(context.words.noRoom);
    else context.jump(context.target, seq);
  },
};

export const whoisCommand: Command = {
  name: "whois",
  aliases: [],
  completes: "nick",
  run(context, rest) {
    const [written, more] = splitWords(rest, 2);
    if (written === undefined || more !== undefined) {
      usage(context, "whois");
      return;
    }
    const nick = parseNick(written.replace(/^@/, ""));
    const taken = context.backend.session.request({ type: "whois", nick }, (answer) => {
      if (!answer.ok) context.complain(failureIn(context.words, answer));
      else if (answer.message.type === "whois") {
        const { connected, rooms, nick: shown, away, bot } = answer.message;
        const { words } = context;
        const name = bot === true ? words.nickBot(shown) : shown;
        context.say(connected ? words.whoisHere(name, rooms.join(", ")) : words.whoisGone(shown));
        if (away !== undefined) context.say(words.isAway(shown, away));
      }
    });
    if (!taken.ok) context.complain(failureIn(context.words, taken));
  },
};

export const ignoreCommand: Command = {
  name: "ignore",
  aliases: ["unignore"],
  completes: "nick",
  run(context, rest) {
    const [written, more] = splitWords(rest, 2);
    if (written === undefined || more !== undefined) {
      usage(context, "ignore");
      return;
    }
    const nick = parseNick(written.replace(/^@/, ""));
    const { words } = context;
    context.say(context.ignore(nick) ? words.ignored(nick) : words.notIgnored(nick));
  },
};

export const highlightCommand: Command = {
  name: "highlight",
  aliases: ["hilight", "hl"],
  completes: "nothing",
  run(context, rest) {
    const { words, highlights } = context;
    if (rest === "") {
      const { names } = highlights;
      if (names.length === 0) context.say(words.noHighlights);
      else context.say(words.highlightsHead, `  ${names.join(", ")}`);
    } else if (!isWord(rest)) usage(context, "highlight");
    else context.say(highlights.toggle(rest) ? words.highlighted(rest) : words.notHighlighted(rest));
  },
};

export const muteCommand: Command = {
  name: "mute",
  aliases: ["unmute"],
  completes: "joined-room",
  run(context, rest) {
    const { words } = context;
    const room = rest === "" ? context.target : rest.startsWith("@") ? rest : parseRoom(roomName(rest));
    const muted = room === undefined ? undefined : context.mute(room);
    if (room === undefined || muted === undefined) context.complain(words.notIn(room ?? ""));
    else context.say(muted ? words.muted(room) : words.notMuted(room));
  },
};

export const mentionsCommand: Command = {
  name: "mentions",
  aliases: ["highlights"],
  completes: "nothing",
  run(context) {
    const { spoken, words } = context;
    if (spoken.length === 0) {
      context.say(words.noMentions);
      return;
    }
    const lines = spoken
      .slice(-screenLimits.searchShown)
      .map((message) => `  ${message.room}${line(message)}`);
    context.say(words.mentionsHead, ...lines);
  },
};
