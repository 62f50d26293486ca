/**
 * The executable's first file. It imports nothing, so that `rtchat --version` answers in a few milliseconds.
 */
import { version } from "../package.json";

process.stdout.write(`rtchat ${version}\n`);
