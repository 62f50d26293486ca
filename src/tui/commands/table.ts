/** Every command there is, in the order of /help, and how one is found and run. */
import { ProtocolError } from "../../protocol/errors.ts";
import type { Command, CommandContext } from "./command.ts";
import { historyCommand, namesCommand, roomsCommand, topicCommand } from "./look.ts";
import { helpCommand } from "./help.ts";
import { joinCommand, leaveCommand, msgCommand, nickCommand, quitCommand } from "./talk.ts";

export const commands: readonly Command[] = [
  joinCommand,
  leaveCommand,
  msgCommand,
  nickCommand,
  namesCommand,
  roomsCommand,
  topicCommand,
  historyCommand,
  helpCommand(() => commands),
  quitCommand,
];

/** The command of that name or alias. */
export function findCommand(name: string): Command | undefined {
  return commands.find((command) => command.name === name || command.aliases.includes(name));
}

/** Runs a command, or says why it cannot. */
export function runCommand(context: CommandContext, name: string, rest: string): void {
  const command = findCommand(name);
  if (command === undefined) {
    const names = commands.flatMap((one) => [one.name, ...one.aliases]);
    context.complain(context.words.unknownCommand(name, context.suggest(name, names)));
    return;
  }
  try {
    command.run(context, rest);
  } catch (error) {
    // Names are checked where they are used; everything else that is thrown is our own fault.
    if (!(error instanceof ProtocolError)) throw error;
    context.complain(error.message);
  }
}
