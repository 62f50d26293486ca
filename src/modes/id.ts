/** `rtchat id`: this device's peer ID. */
import { Failure } from "../cli/errors.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { IdentityError, loadOrCreateIdentity } from "../identity/key-file.ts";
import { formatPeerId } from "../identity/peer-id.ts";
import { idMode } from "./flags/small.ts";

export const start: StartMode = modeStarter(idMode, (config) => {
  try {
    const { peerId, path, created } = loadOrCreateIdentity(config.data);
    if (config.json) {
      process.stdout.write(`${JSON.stringify({ peerId, path, created })}\n`);
    } else {
      if (created) process.stderr.write(`made a new key in ${path}\n`);
      process.stdout.write(`${formatPeerId(peerId)}\n`);
    }
    return Promise.resolve();
  } catch (error) {
    if (error instanceof IdentityError) throw new Failure(error.message, "", { cause: error });
    throw error;
  }
});
