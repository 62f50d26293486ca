/** `rtchat completions SHELL`: the script to source. */
import { renderCompletions, type Shell } from "../cli/completions.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { allModes } from "./flags/all.ts";
import { completionsMode } from "./flags/small.ts";

export const start: StartMode = modeStarter(completionsMode, (_config, context) => {
  // The positional is one of the shells: parsing refuses anything else.
  process.stdout.write(renderCompletions(context.positional as Shell, allModes));
  return Promise.resolve();
});
