/** Commands that look at the chat: who is here, which rooms there are, what it is about, what was said before. */
import { failureIn } from "../language/words.ts";
import { clientLimits } from "../../protocol/limits.ts";
import { parseRoom } from "../../protocol/names.ts";
import type { AnswerHandler, PlainRequest } from "../backend.ts";
import type { Command, CommandContext, CommandName } from "./command.ts";
import { roomName, splitWords } from "./command.ts";

/** Asks, and shows why not if there is no answer. */
function ask(context: CommandContext, request: PlainRequest, done: AnswerHandler): void {
  const taken = context.backend.session.request(request, (answer) => {
    if (answer.ok) done(answer);
    else context.complain(failureIn(context.words, answer));
  });
  if (!taken.ok) context.complain(failureIn(context.words, taken));
}

/** The room that was written, or the one in front; undefined after saying why there is none. */
function pickRoom(context: CommandContext, written: string | undefined): string | undefined {
  if (written !== undefined) return parseRoom(roomName(written));
  if (context.target !== undefined && !context.target.startsWith("@")) return context.target;
  context.complain(context.words.noRoom);
  return undefined;
}

export const namesCommand: Command = {
  name: "names",
  aliases: ["who", "members"],
  completes: "joined-room",
  run(context, rest) {
    const room = pickRoom(context, splitWords(rest, 1)[0]);
    if (room === undefined) return;
    ask(context, { type: "members", room }, (answer) => {
      if (!answer.ok || answer.message.type !== "members") return;
      const { members, memberCount, away = {}, bots = [] } = answer.message;
      const more = memberCount - members.length;
      const shown = members.map((nick) => {
        if (bots.includes(nick)) return context.words.nickBot(nick);
        return Object.hasOwn(away, nick) ? context.words.nickAway(nick, away[nick] ?? "") : nick;
      });
      context.say(
        context.words.members(room, memberCount),
        `  ${shown.join(", ")}${more > 0 ? `, ${context.words.andMore(more)}` : ""}`,
      );
    });
  },
};

export const roomsCommand: Command = {
  name: "rooms",
  aliases: ["list"],
  completes: "nothing",
  run(context) {
    ask(context, { type: "rooms" }, (answer) => {
      if (!answer.ok || answer.message.type !== "rooms") return;
      const { rooms } = answer.message;
      const { words } = context;
      if (rooms.length === 0) {
        context.say(words.noRooms);
        return;
      }
      const lines = rooms.map(({ room, members, topic }) => {
        const head = `  ${room} (${words.people(members)})`;
        return topic === "" ? head : `${head} ${topic}`;
      });
      context.say(words.roomsHead(rooms.length), ...lines);
    });
  },
};

export const topicCommand: Command = {
  name: "topic",
  aliases: ["t"],
  completes: "nothing",
  run(context, rest) {
    const room = pickRoom(context, undefined);
    if (room === undefined) return;
    if (rest === "") {
      const topic = context.backend.session.rooms.get(room)?.topic ?? "";
      context.say(topic === "" ? context.words.noTopic(room) : context.words.topicIs(room, topic));
      return;
    }
    // The change itself is shown when the server tells every member, this one too.
    ask(context, { type: "topic", room, text: rest === "-" ? "" : rest }, () => {});
  },
};

function readCount(context: CommandContext, rest: string, name: CommandName): number | undefined {
  if (rest === "") return clientLimits.historyDefault;
  const count = /^\d{1,4}$/.test(rest) ? Number(rest) : 0;
  if (count >= 1) return Math.min(count, clientLimits.historyMost);
  context.complain(context.words.usage(context.words.commands[name][0]));
  return undefined;
}

export const historyCommand: Command = {
  name: "history",
  aliases: ["older"],
  completes: "nothing",
  run(context, rest) {
    const limit = readCount(context, rest, "history");
    if (limit === undefined) return;
    const room = context.target;
    if (room === undefined) {
      context.complain(context.words.noRoom);
      return;
    }
    const before = context.oldest(room);
    const bound = before === undefined ? {} : { before };
    ask(context, { type: "history", room, limit, ...bound }, (answer) => {
      if (!answer.ok || answer.message.type !== "history") return;
      const { messages } = answer.message;
      if (messages.length === 0) context.say(context.words.noHistory(room));
      else context.showHistory(room, messages);
    });
  },
};
