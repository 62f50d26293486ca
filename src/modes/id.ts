/** `rtchat id`: this device's peer ID. */
import { Failure } from "../cli/errors.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { IdentityError, loadOrCreateIdentity } from "../identity/key-file.ts";
import { idMode } from "./flags/small.ts";

export const start: StartMode = modeStarter(idMode, (config) => {
  try {
    const identity = loadOrCreateIdentity(config.data);
    if (identity.created) process.stderr.write(`made a new key in ${identity.path}\n`);
    process.stdout.write(`${identity.peerId}\n`);
    return Promise.resolve();
  } catch (error) {
    if (error instanceof IdentityError) throw new Failure(error.message, "", { cause: error });
    throw error;
  }
});
