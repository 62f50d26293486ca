/** `/device`: makes another device one of the same person, so that both agree on what was read and wrote what was written. */
import type { Client } from "../../client/client.ts";
import { formatDeviceCode, parseDeviceCode } from "../../identity/device-code.ts";
import type { Command } from "../../tui/commands/command.ts";
import type { Memory } from "./memory.ts";

/** The command, over what this device remembers. */
export function deviceCommand(client: Client, memory: Memory): Command {
  return {
    name: "device",
    aliases: [],
    completes: "nothing",
    run(context, rest) {
      const { words } = context;
      if (rest === "") {
        context.say(words.deviceHow, `  /device ${formatDeviceCode(memory.secret)}`, words.deviceSecret);
        memory.save();
        return;
      }
      const secret = parseDeviceCode(rest);
      if (secret === undefined) {
        context.complain(words.deviceBad);
        return;
      }
      memory.secret = secret;
      memory.save();
      client.session.identify();
      context.say(words.deviceSame);
    },
  };
}
