/** `rtchat status`: a balancer's figures, once or every second. */
import { overallStatus } from "../admin/health.ts";
import { exitCodes } from "../cli/errors.ts";
import { reportFailure } from "../cli/output.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { statusMode } from "./flags/status.ts";
import { askBalancer } from "./status/ask.ts";
import { renderStatus } from "./status/table.ts";

const WATCH_MS = 1_000;
/** Cursor home, then clear what is below: no flicker, as clearing first would give. */
const HOME = "\u001b[H";
const CLEAR_BELOW = "\u001b[J";
const CLEAR_LINE = "\u001b[K";

export const start: StartMode = modeStarter(statusMode, async (config, context) => {
  const { stdout } = process;
  const look = async (): Promise<{ text: string; serving: boolean }> => {
    const snapshot = await askBalancer(config.admin, config.adminToken);
    const text = config.json ? `${JSON.stringify(snapshot)}\n` : renderStatus(snapshot, stdout);
    return { text, serving: overallStatus(snapshot) !== "fail" };
  };
  if (!config.watch) {
    const { text, serving } = await look();
    stdout.write(text);
    return serving ? exitCodes.ok : exitCodes.failure;
  }
  const redraw = stdout.isTTY && !config.json;
  const stopped = context.stopped();
  let over = false;
  void stopped.then(() => (over = true));
  while (!over) {
    try {
      const { text } = await look();
      stdout.write(redraw ? `${HOME}${text.replaceAll("\n", `${CLEAR_LINE}\n`)}${CLEAR_BELOW}` : text);
    } catch (error) {
      // A balancer that restarts is no reason to stop looking.
      if (redraw) stdout.write(`${HOME}${CLEAR_BELOW}`);
      reportFailure(error, "status");
    }
    await Promise.race([stopped, Bun.sleep(WATCH_MS)]);
  }
  return exitCodes.ok;
});
