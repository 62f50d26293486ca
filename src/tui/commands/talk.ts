/** Commands that change where one is, who one is, and to whom one speaks. */
import { failureIn } from "../language/words.ts";
import { nameKey, parseNick, parseRoom } from "../../protocol/names.ts";
import type { Command, CommandContext, CommandName } from "./command.ts";
import { roomName, splitWords } from "./command.ts";

/** Says how a command is written. */
function usage(context: CommandContext, name: CommandName): void {
  context.complain(context.words.usage(context.words.commands[name][0]));
}

export const joinCommand: Command = {
  name: "join",
  aliases: ["j"],
  completes: "room",
  run(context, rest) {
    const [written, more] = splitWords(rest, 2);
    if (written === undefined || more !== undefined) {
      usage(context, "join");
      return;
    }
    if (written.startsWith("@")) {
      context.focus(`@${parseNick(written.slice(1))}`);
      return;
    }
    const room = parseRoom(roomName(written));
    context.backend.session.join(room);
    context.focus(room);
  },
};

/** A conversation is nowhere but here: it is put away, and comes back with the next message. */
function closeConversation(context: CommandContext, name: string): void {
  if (!context.close(name)) {
    context.complain(context.words.notIn(name));
    return;
  }
  const next = context.backend.session.rooms.keys().next().value;
  const wasInFront = context.target !== undefined && nameKey(context.target) === nameKey(name);
  if (wasInFront && next !== undefined) context.focus(next);
}

export const leaveCommand: Command = {
  name: "leave",
  aliases: ["part", "close"],
  completes: "joined-room",
  run(context, rest) {
    const [written = context.target, more] = splitWords(rest, 2);
    if (more !== undefined) {
      usage(context, "leave");
      return;
    }
    if (written === undefined) {
      context.complain(context.words.noRoom);
      return;
    }
    const { session } = context.backend;
    if (written.startsWith("@")) {
      closeConversation(context, `@${parseNick(written.slice(1))}`);
      return;
    }
    const room = parseRoom(roomName(written));
    if (!session.leave(room)) {
      context.complain(context.words.notIn(room));
      return;
    }
    context.say(context.words.leftRoom(room));
    const next = session.rooms.keys().next().value;
    if (context.target === room && next !== undefined) context.focus(next);
  },
};

export const msgCommand: Command = {
  name: "msg",
  aliases: ["m", "w", "whisper", "query", "dm"],
  completes: "nick",
  run(context, rest) {
    const [written, text] = splitWords(rest, 2);
    if (written === undefined) {
      usage(context, "msg");
      return;
    }
    const target = `@${parseNick(written.replace(/^@/, ""))}`;
    if (text === undefined) context.focus(target);
    else context.send(target, text);
  },
};

export const nickCommand: Command = {
  name: "nick",
  aliases: ["name"],
  completes: "nothing",
  run(context, rest) {
    const [written, more] = splitWords(rest, 2);
    if (written === undefined || more !== undefined) {
      usage(context, "nick");
      return;
    }
    const nick = parseNick(written);
    const { session } = context.backend;
    if (session.online && nick === session.nick) {
      context.say(context.words.youRenamed(nick));
      return;
    }
    context.backend.changeNick(nick, (answer) => {
      if (!answer.ok) context.complain(failureIn(context.words, answer));
      else if (answer.message.type === "nick") context.say(context.words.youRenamed(answer.message.nick));
    });
  },
};

export const quitCommand: Command = {
  name: "quit",
  aliases: ["q", "exit", "bye"],
  completes: "nothing",
  run(context) {
    context.quit();
  },
};
