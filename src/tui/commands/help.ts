/** /help: the table, in the person's language, all of it or what has to do with some words. */
import type { ChatBackend } from "../backend.ts";
import type { Command } from "./command.ts";

/** @param commandsOf gives every command of a chat, this one too */
export function helpCommand(commandsOf: (backend: ChatBackend) => readonly Command[]): Command {
  return {
    name: "help",
    aliases: ["h", "?"],
    completes: "command",
    run(context, rest) {
      const { words } = context;
      const wanted = rest.toLowerCase().replace(/^\//, "").split(/\s+/).filter(Boolean);
      const rows = commandsOf(context.backend)
        .map(({ name, aliases }) => ({ name, aliases, text: words.commands[name] }))
        .filter(({ name, aliases, text: [usage, summary] }) => {
          const haystack = `${name} ${aliases.join(" ")} ${usage} ${summary}`.toLowerCase();
          return wanted.every((word) => haystack.includes(word));
        });
      if (rows.length === 0) {
        context.complain(words.noHelp(rest));
        return;
      }
      const width = Math.max(...rows.map(({ text: [usage] }) => usage.length));
      const lines = rows.map(({ text: [usage, summary] }) => `  ${usage.padEnd(width)}  ${summary}`);
      if (wanted.length > 0) context.say(...lines);
      else context.say(words.helpHead, ...lines, `  ${words.helpDirect}`);
    },
  };
}
