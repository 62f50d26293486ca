/** `rtchat status`: a balancer's figures, once or every second. */
import { formatCount } from "../admin/dashboard/format.ts";
import { overallStatus } from "../admin/health.ts";
import { exitCodes } from "../cli/errors.ts";
import { reportFailure } from "../cli/output.ts";
import { type ModeContext, modeStarter, type StartMode } from "../cli/run.ts";
import { jsonLine } from "../protocol/sanitize.ts";
import { statusMode } from "./flags/status.ts";
import { askBalancer } from "./status/ask.ts";
import { renderStatus } from "./status/table.ts";

const WATCH_MS = 1_000;
/** The other screen without a cursor, and back; what stood in the terminal is there again afterwards. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
/** Cursor home; clear the rest of a line, and of the screen. Clearing first would flicker. */
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/** Looks once. */
type Look = () => Promise<{ readonly text: string; readonly serving: boolean }>;

export const start: StartMode = modeStarter(statusMode, async (config, context) => {
  const look: Look = async () => {
    const snapshot = await askBalancer(config.admin, config.adminToken);
    const text = config.json ? `${jsonLine(snapshot)}\n` : renderStatus(snapshot, process.stdout);
    return { text, serving: overallStatus(snapshot) !== "fail" };
  };
  if (config.watch) return watch(look, context, process.stdout.isTTY && !config.json);
  const { text, serving } = await look();
  process.stdout.write(text);
  return serving ? exitCodes.ok : exitCodes.failure;
});

/** Looks every second until told to stop. @param inPlace redraw one screen instead of writing one after the other */
async function watch(look: Look, context: ModeContext, inPlace: boolean): Promise<number> {
  const { stdout } = process;
  const stopped = context.stopped();
  let over = false;
  void stopped.then(() => (over = true));
  let last = "";
  const leave = (): void => void stdout.write(LEAVE);
  if (inPlace) {
    process.on("exit", leave);
    stdout.write(ENTER);
  }
  while (!over) {
    try {
      const { text } = await look();
      last = text;
      stdout.write(
        inPlace
          ? `${HOME}${cut(text, stdout.rows).join(`${CLEAR_LINE}\n`)}${CLEAR_LINE}${CLEAR_BELOW}`
          : text,
      );
    } catch (error) {
      // A balancer that restarts is no reason to stop looking.
      if (inPlace) stdout.write(`${HOME}${CLEAR_BELOW}`);
      reportFailure(error, "status");
    }
    await Promise.race([stopped, Bun.sleep(WATCH_MS)]);
  }
  if (inPlace) {
    process.off("exit", leave);
    stdout.write(`${LEAVE}${last}`);
  }
  return exitCodes.ok;
}

/** As many lines as the screen has; a picture that scrolls could not be drawn over. */
function cut(text: string, rows: number): string[] {
  const lines = text.trimEnd().split("\n");
  const most = Math.max(1, rows);
  if (lines.length <= most) return lines;
  const shown = lines.slice(0, most - 1);
  return [...shown, `(${formatCount(lines.length - shown.length)} lines more)`];
}
