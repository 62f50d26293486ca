/**
 * `rtchat client`: a headless client with lines around it. On a terminal one types and reads; in a pipe stdin is sent
 * and the exit code tells.
 */
import { version } from "../../package.json";
import { Failure } from "../cli/errors.ts";
import type { Environment } from "../cli/flag.ts";
import { reportFailure } from "../cli/output.ts";
import { modeStarter, type ModeContext, type StartMode } from "../cli/run.ts";
import type { Config } from "../cli/flag.ts";
import { suggest } from "../cli/suggest.ts";
import { Client } from "../client/client.ts";
import { netDial } from "../client/net-dial.ts";
import { systemClock } from "../protocol/clock.ts";
import { clientLimits, pipeLimits } from "../protocol/limits.ts";
import { noPaint, paintFor } from "../tui/colours.ts";
import type { Paint } from "../tui/colours.ts";
import { LineChat } from "../tui/line/line-chat.ts";
import { runPipe } from "../tui/line/pipe.ts";
import { LineTerminal } from "../tui/line/terminal.ts";
import { wordsFor } from "../tui/language/words.ts";
import type { Words } from "../tui/language/words.ts";
import { clientMode } from "./flags/client.ts";

export const start: StartMode = modeStarter(clientMode, (config, context) => {
  const words = wordsFor(languageOf(context.environment));
  const client = makeClient(config);
  const { stdin, stdout } = process;
  const lines = config.json || !stdin.isTTY || !stdout.isTTY;
  return lines ? pipe(client, config, context, words) : terminal(client, config, context, words);
});
