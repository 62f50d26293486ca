/**
 * The frame around every mode: help, flags, log, readiness, stopping, errors, exit code. A mode's file is then only its
 * composition:
 *
 *     export const start = modeStarter(serverMode, async (config, context) => {
 *       const server = await listen(config);
 *       context.ready({ listen: formatAddress(server.address) });
 *       context.log.info("stopping", { reason: await context.stopped() });
 *       await server.drain();
 *     });
 */
import { silentLogger } from "../protocol/logger.ts";
import { exitCodes } from "./errors.ts";
import type { Config, Environment, Flags, ModeDefinition } from "./flag.ts";
import { renderHelp } from "./help.ts";
import {
  announceReady,
  type ReadyFacts,
  type SignalActions,
  type StopReason,
  waitForStop,
  watchParent,
} from "./lifecycle.ts";
import type { Log, LogFormat, LogLevel } from "./log.ts";
import { endOutput, handleBrokenPipes, reportFailure } from "./output.ts";
import { parseFlags, wantsHelp } from "./parse.ts";
import { readSettings } from "./settings.ts";
import type { Settings } from "./settings.ts";

/** What a mode's body is given beside its configuration. */
export interface ModeContext<Table extends Flags = Flags> {
  /** As --log-level and --log-format say; silent for modes without these flags. */
  readonly log: Log;
  readonly environment: Environment;
  /** The settings' file. */
  readonly settings: Settings;
  /** The word after the mode's name, where it takes one. */
  readonly positional: string | undefined;
  /** What a person wrote, by key, as a variable's value: for handing flags on to a child. */
  readonly written: ReadonlyMap<string, string>;
  /**
   * The configuration as it would be if the same command were given now: the settings' file is read again.
   * @throws UsageError
   */
  readAgain(): Config<Table>;
  /**
   * Says, once, that the mode serves now: in the log, and to whoever started it.
   * @param actions what signals do from now on, instead of stopping
   */
  ready(facts: ReadyFacts, actions?: SignalActions): void;
  /** The first reason to stop. Until this or ready() is called, signals end the process at once. */
  stopped(): Promise<StopReason>;
}

/** A mode's composition. Returns an exit code, or nothing for 0; throws a Failure for what a person can mend. */
export type ModeBody<Table extends Flags> = (
  config: Config<Table>,
  context: ModeContext<Table>,
) => Promise<number | void>;

/** What every mode's file exports for main. Never resolves: it ends the process. */
export type StartMode = (args: readonly string[]) => Promise<never>;

const silentLog: Log = { ...silentLogger, flush: () => {} };

async function logOf(config: object): Promise<Log> {
  if (!("logLevel" in config) || !("logFormat" in config)) return silentLog;
  // Modes of people and scripts have no log, and do not wait for its code.
  const { createLog } = await import("./log.ts");
  // Both come from logFlags, whose schemas allow nothing else.
  return createLog(config.logLevel as LogLevel, config.logFormat as LogFormat);
}

async function runMode<Table extends Flags>(
  mode: ModeDefinition<Table>,
  args: readonly string[],
  body: ModeBody<Table>,
): Promise<number> {
  const environment: Environment = process.env;
  watchParent(environment);
  let log = silentLog;
  try {
    if (wantsHelp(args)) {
      process.stdout.write(renderHelp(mode, environment, process.stdout));
      return exitCodes.ok;
    }
    const settings = readSettings(environment);
    const { config, positional, written } = parseFlags(mode, args, environment, settings);
    log = await logOf(config);
    let stopping: Promise<StopReason> | undefined;
    let actions: SignalActions = {};
    const context: ModeContext<Table> = {
      log,
      environment,
      settings,
      positional,
      written,
      readAgain: () => parseFlags(mode, args, environment, readSettings(environment)).config,
      ready(facts, wanted = {}) {
        // Before anybody hears that it is ready: a signal that follows at once must find it listening.
        actions = wanted;
        stopping ??= waitForStop(environment, () => actions);
        log.info("ready", facts);
        announceReady(mode.name, facts, environment);
      },
      stopped: () => (stopping ??= waitForStop(environment, () => actions)),
    };
    return (await body(config, context)) ?? exitCodes.ok;
  } catch (error) {
    log.flush();
    return reportFailure(error, mode.name);
  } finally {
    log.flush();
  }
}

/** Joins a mode's definition and its composition into what main calls. */
export function modeStarter<Table extends Flags>(
  mode: ModeDefinition<Table>,
  body: ModeBody<Table>,
): StartMode {
  return async (args) => {
    handleBrokenPipes(() => process.exit(exitCodes.brokenPipe));
    const code = await runMode(mode, args, body);
    await endOutput();
    process.exit(code);
  };
}
