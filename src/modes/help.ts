/** `rtchat help [MODE]`, `rtchat` alone, and whatever names no mode. */
import { quote } from "../protocol/names.ts";
import { UsageError } from "../cli/errors.ts";
import { renderHelp, renderOverview } from "../cli/help.ts";
import { reportFailure } from "../cli/output.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { suggest } from "../cli/suggest.ts";
import { allModes } from "./flags/all.ts";
import { helpMode } from "./flags/small.ts";

export const start: StartMode = modeStarter(
  helpMode(allModes.filter(({ name }) => name !== "help").map(({ name }) => name)),
  (_config, context) => {
    const mode = allModes.find(({ name }) => name === context.positional);
    const text =
      mode === undefined
        ? renderOverview(allModes, process.stdout)
        : renderHelp(mode, context.environment, process.stdout);
    process.stdout.write(text);
    return Promise.resolve();
  },
);

/** Refuses a first word that is no mode. Sets the exit code. */
export function refuseMode(word: string): void {
  const names = allModes.map(({ name }) => name);
  const near = suggest(word.replace(/^-+/, ""), names);
  const what = word.startsWith("-") ? `flag ${quote(word)} before a mode` : `mode ${quote(word)}`;
  const hint =
    near === undefined ? `rtchat help lists the modes: ${names.join(", ")}` : `did you mean rtchat ${near}?`;
  process.exitCode = reportFailure(new UsageError(`there is no ${what}`, hint), "");
}
