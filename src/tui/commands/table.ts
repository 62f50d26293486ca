/** Every command there is, in the order of /help, and how one is found and run. */
import { ProtocolError } from "../../protocol/errors.ts";
import type { ChatBackend } from "../backend.ts";
import { failureIn } from "../language/words.ts";
import { deleteCommand, editCommand, meCommand, reactCommand, replyCommand } from "./about.ts";
import { awayCommand, backCommand } from "./away.ts";
import type { Command, CommandContext } from "./command.ts";
import {
  highlightCommand,
  ignoreCommand,
  jumpCommand,
  mentionsCommand,
  muteCommand,
  searchCommand,
  whoisCommand,
} from "./find.ts";
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
  meCommand,
  replyCommand,
  editCommand,
  deleteCommand,
  reactCommand,
  searchCommand,
  jumpCommand,
  mentionsCommand,
  whoisCommand,
  awayCommand,
  backCommand,
  highlightCommand,
  ignoreCommand,
  muteCommand,
  helpCommand(commandsOf),
  quitCommand,
];

/** Those every chat has, and those of this kind of chat before the last two, help and quit. */
export function commandsOf(backend: Pick<ChatBackend, "commands" | "lacks">): readonly Command[] {
  const { commands: own = [], lacks = [] } = backend;
  const all = [...commands.slice(0, -2), ...own, ...commands.slice(-2)];
  return all.filter(({ name }) => !lacks.includes(name));
}

/** The command of that name or alias. */
export function findCommand(name: string, table: readonly Command[] = commands): Command | undefined {
  return table.find((command) => command.name === name || command.aliases.includes(name));
}

/** Runs a command, or says why it cannot. */
export function runCommand(context: CommandContext, name: string, rest: string): void {
  const command = findCommand(name, commandsOf(context.backend));
  if (command === undefined) {
    const names = commandsOf(context.backend).flatMap((one) => [one.name, ...one.aliases]);
    context.complain(context.words.unknownCommand(name, context.suggest(name, names)));
    return;
  }
  try {
    command.run(context, rest);
  } catch (error) {
    // Names are checked where they are used; everything else that is thrown is our own fault.
    if (!(error instanceof ProtocolError)) throw error;
    context.complain(failureIn(context.words, error));
  }
}
