/** `rtchat backup`: a copy of a data folder's log, made while servers run. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { formatBytes, formatCounted } from "../admin/dashboard/format.ts";
import { backUp } from "../backplane/keeper/backup.ts";
import { logFile } from "../backplane/keeper/keeper.ts";
import { StoreProblem } from "../backplane/keeper/problem.ts";
import { explainSystemError, Failure } from "../cli/errors.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { clusterSecretFile } from "../identity/cluster-secret.ts";
import { codeOf } from "../identity/private-file.ts";
import { backupMode } from "./flags/small.ts";

/** What went wrong, in words for whoever made the backup; the log's own words are for whoever runs its servers. */
function explain(error: unknown, target: string): unknown {
  if (error instanceof StoreProblem) {
    if (error.kind !== "full") return new Failure(error.message);
    return new Failure(
      `no space is left on the disk for ${target}`,
      "free some, or name a folder on another disk",
    );
  }
  const missing = codeOf(error) === "ENOENT";
  return explainSystemError(error, missing ? dirname(resolve(target)) : target) ?? error;
}

export const start: StartMode = modeStarter(backupMode, (config, { positional: target = "" }) => {
  const log = join(config.data, logFile);
  if (!existsSync(log)) {
    throw new Failure(
      `there is no log at ${log}`,
      "name the servers' folder with --data; what Redis keeps is backed up with Redis",
    );
  }
  if (existsSync(target)) throw new Failure(`${target} is there already`, "name a folder that is not there");
  try {
    const { messages, rooms, bytes, secrets } = backUp(config.data, target, [clusterSecretFile]);
    const what = `${formatCounted(messages, "message")} of ${formatCounted(rooms, "room")}, ${formatBytes(bytes)}`;
    process.stdout.write(`${target}: ${what}\n`);
    if (secrets.length === 0) {
      process.stderr.write(
        `${config.data} has no ${clusterSecretFile}: keep the servers' own beside this backup\n`,
      );
    }
  } catch (error) {
    throw explain(error, target);
  }
  return Promise.resolve();
});
