/**
 * `/kick`, `/ban`, `/unban`, `/bans`: what whoever runs the chat may do, for those who were started with its secret.
 *
 * Each says the secret before it asks, so that nothing has to be remembered of which connection has heard it: requests of
 * one connection are carried out in the order written. The secret is in a file, and never typed into a chat.
 */
import { durationSchema } from "../../cli/schemas.ts";
import { operatorLimits } from "../../protocol/limits.operators.ts";
import type { ServerMessage } from "../../protocol/messages.ts";
import type { Command, CommandContext } from "../../tui/commands/command.ts";
import { splitWords } from "../../tui/commands/command.ts";
import type { PlainRequest } from "../../tui/backend.ts";
import { failureIn } from "../../tui/language/words.ts";

/** Seconds that `/ban` means when it does not say. */
const DAY = 86_400;

/** The commands, for who has this secret. */
export function operatorCommands(secret: string): readonly Command[] {
  return [kickCommand(secret), banCommand(secret), unbanCommand(secret), bansCommand(secret)];
}

function ask(
  context: CommandContext,
  secret: string,
  request: PlainRequest,
  answered: (message: ServerMessage) => void,
): void {
  const { session } = context.backend;
  const refused = (failure: Parameters<typeof failureIn>[1]): void => {
    context.complain(failureIn(context.words, failure));
  };
  let known = true;
  const said = session.request({ type: "operator", secret }, (answer) => {
    known = answer.ok;
    if (!answer.ok) refused(answer);
  });
  const taken = said.ok
    ? session.request(request, (answer) => {
        if (answer.ok) answered(answer.message);
        else if (known) refused(answer);
      })
    : said;
  if (!taken.ok) refused(taken);
}

const withoutAt = (nick: string): string => nick.replace(/^@/, "");

const usage = (context: CommandContext, name: "kick" | "ban" | "unban" | "bans"): void => {
  context.complain(context.words.usage(context.words.commands[name][0]));
};

function kickCommand(secret: string): Command {
  return {
    name: "kick",
    aliases: [],
    completes: "nick",
    run(context, rest) {
      const [nick, reason] = splitWords(rest, 2);
      if (nick === undefined) {
        usage(context, "kick");
        return;
      }
      const request = {
        type: "kick",
        nick: withoutAt(nick),
        ...(reason === undefined ? {} : { reason }),
      } as const;
      ask(context, secret, request, (message) => {
        if (message.type === "kick") context.say(context.words.kickedOut(message.nick));
      });
    },
  };
}

function banCommand(secret: string): Command {
  return {
    name: "ban",
    aliases: [],
    completes: "nick",
    run(context, rest) {
      const [who, ...others] = splitWords(rest, 3);
      if (who === undefined) {
        usage(context, "ban");
        return;
      }
      const { seconds, reason } = readTerms(others);
      const request = {
        type: "ban",
        who: withoutAt(who),
        ...(seconds === undefined ? {} : { seconds }),
        ...(reason === "" ? {} : { reason }),
      } as const;
      ask(context, secret, request, (message) => {
        if (message.type === "ban") context.say(context.words.bannedNow(message.who));
      });
    },
  };
}

/** How long, `1h`, `30d` or `forever`, by default a day; and what is left of the words. */
function readTerms(words: readonly string[]): { seconds: number | undefined; reason: string } {
  const [first = "", ...others] = words;
  if (first === "forever") return { seconds: undefined, reason: others.join(" ") };
  const time = durationSchema.safeParse(first).data;
  if (time === undefined || time < 1_000) return { seconds: DAY, reason: words.join(" ") };
  return { seconds: Math.min(Math.round(time / 1_000), operatorLimits.banSeconds), reason: others.join(" ") };
}

function unbanCommand(secret: string): Command {
  return {
    name: "unban",
    aliases: [],
    completes: "nothing",
    run(context, rest) {
      const [address, more] = splitWords(rest, 2);
      if (address === undefined || more !== undefined) {
        usage(context, "unban");
        return;
      }
      ask(context, secret, { type: "unban", address }, (message) => {
        if (message.type === "unban") context.say(context.words.banLifted(message.address));
      });
    },
  };
}

/** `2026-11-29 12:00`, by this machine's clock. */
function minuteOf(at: number): string {
  const date = new Date(at);
  const two = (number: number): string => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

function bansCommand(secret: string): Command {
  return {
    name: "bans",
    aliases: [],
    completes: "nothing",
    run(context, rest) {
      const { words } = context;
      if (rest !== "") {
        usage(context, "bans");
        return;
      }
      ask(context, secret, { type: "bans" }, (message) => {
        if (message.type !== "bans") return;
        if (message.bans.length === 0) context.say(words.noBans);
        for (const { address, by, until, reason } of message.bans) {
          const end = until === undefined ? words.banForGood : words.banUntil(minuteOf(until));
          context.say(words.banLine(address, end, by, reason ?? ""));
        }
      });
    },
  };
}
