/** Commands about messages that were sent: answer, change, take back, react; and saying what one does. */
import type { About, Message } from "../../protocol/messages.ts";
import { nameKey, parseNick } from "../../protocol/names.ts";
import type { Command, CommandContext, CommandName } from "./command.ts";
import { splitWords } from "./command.ts";

function usage(context: CommandContext, name: CommandName): void {
  context.complain(context.words.usage(context.words.commands[name][0]));
}

/** The room or conversation in front; undefined, after saying so, if there is none. */
function place(context: CommandContext): string | undefined {
  if (context.target === undefined) context.complain(context.words.noRoom);
  return context.target;
}

/** Says something about a message, if the server still counts it. */
function sendAbout(
  context: CommandContext,
  target: string,
  kind: About["kind"],
  { seq }: Message,
  text: string,
): void {
  // Kept on the screen from an inbox that there is no more: see RoomLog.retire.
  if (seq <= 0) context.complain(context.words.fromBefore);
  else context.send(target, text, { re: { kind, seq } });
}

const isMine = (context: CommandContext) => (message: Message) =>
  nameKey(message.from) === nameKey(context.backend.session.nick);

/** The last message of somebody else, or of one person. */
function theirs(context: CommandContext, target: string, nick: string | undefined): Message | undefined {
  const mine = isMine(context);
  const key = nick === undefined ? undefined : nameKey(parseNick(nick));
  const found = context.latest(target, (message) =>
    key === undefined ? !mine(message) : nameKey(message.from) === key,
  );
  if (found === undefined) context.complain(context.words.nothingToAnswer);
  return found;
}

export const meCommand: Command = {
  name: "me",
  aliases: ["action"],
  completes: "nick",
  run(context, rest) {
    if (rest === "") usage(context, "me");
    else if (context.target === undefined) context.complain(context.words.noRoom);
    else context.send(context.target, rest, { action: true });
  },
};

export const replyCommand: Command = {
  name: "reply",
  aliases: ["r"],
  completes: "nick",
  run(context, rest) {
    const target = place(context);
    if (target === undefined) return;
    const [, nick, text = ""] = /^(?:@(\S+)\s+)?([\s\S]*)$/.exec(rest) ?? [];
    if (text.trim() === "") {
      usage(context, "reply");
      return;
    }
    const original = theirs(context, target, nick);
    if (original !== undefined) sendAbout(context, target, "reply", original, text);
  },
};

export const reactCommand: Command = {
  name: "react",
  aliases: ["+"],
  completes: "nick",
  run(context, rest) {
    const target = place(context);
    if (target === undefined) return;
    const [emoji, nick, more] = splitWords(rest, 3);
    if (emoji === undefined || more !== undefined || [...emoji].length > 16) {
      usage(context, "react");
      return;
    }
    const original = theirs(context, target, nick?.replace(/^@/, ""));
    if (original !== undefined) sendAbout(context, target, "reaction", original, emoji);
  },
};

/** Changes this person's last message. */
function change(context: CommandContext, kind: "edit" | "delete", text: string): void {
  const target = place(context);
  if (target === undefined) return;
  const original = context.latest(target, isMine(context));
  // Else the one before it would be changed.
  if (context.isSending(target)) context.complain(context.words.stillSending);
  else if (original === undefined) context.complain(context.words.nothingToChange);
  else sendAbout(context, target, kind, original, text);
}

export const editCommand: Command = {
  name: "edit",
  aliases: ["e"],
  completes: "nothing",
  run(context, rest) {
    if (rest === "") usage(context, "edit");
    else change(context, "edit", rest);
  },
};

export const deleteCommand: Command = {
  name: "delete",
  aliases: ["del"],
  completes: "nothing",
  run(context) {
    change(context, "delete", context.words.deletedText);
  },
};
