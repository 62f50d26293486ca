/** Every mode's command line, in the order of the help page. */
import type { ModeDefinition } from "../../cli/flag.ts";
import { balancerMode } from "./balancer.ts";
import { clientMode, exportMode, sendMode, tailMode } from "./client.ts";
import { peerMode } from "./peer.ts";
import { serverMode } from "./server.ts";
import { backupMode, completionsMode, configMode, helpMode, idMode } from "./small.ts";
import { statusMode } from "./status.ts";
import { upMode } from "./up.ts";

const working = [
  upMode,
  serverMode,
  balancerMode,
  clientMode,
  sendMode,
  tailMode,
  exportMode,
  peerMode,
  statusMode,
  backupMode,
  idMode,
  completionsMode,
] as const;

/** Those that have flags worth a setting. */
export const configurable: readonly ModeDefinition[] = working.filter(
  ({ flags }) => Object.keys(flags).length > 0,
);

const config = configMode(configurable.map(({ name }) => name));

/** All of them, help included. */
export const allModes: readonly ModeDefinition[] = [
  ...working,
  config,
  helpMode([...working.map(({ name }) => name), config.name]),
];
