/** /away and /back. Coming back by saying something is the server's doing; it tells, and the screen shows it. */
import { failureIn } from "../language/words.ts";
import type { Command, CommandContext } from "./command.ts";

function ask(context: CommandContext, away: boolean, text: string): void {
  const { backend, words } = context;
  const more = text === "" ? {} : { text };
  const taken = backend.session.request({ type: "away", away, ...more }, (answer) => {
    if (!answer.ok) context.complain(failureIn(context.words, answer));
    else context.say(away ? words.youAway(text) : words.youBack);
  });
  if (!taken.ok) context.complain(failureIn(context.words, taken));
}

export const awayCommand: Command = {
  name: "away",
  aliases: ["afk"],
  completes: "nothing",
  run(context, rest) {
    ask(context, true, rest);
  },
};

export const backCommand: Command = {
  name: "back",
  aliases: [],
  completes: "nothing",
  run(context, rest) {
    if (rest !== "") context.complain(context.words.usage(context.words.commands.back[0]));
    else if (context.backend.session.away === undefined) context.say(context.words.notAway);
    else ask(context, false, "");
  },
};
