/**
 * The compiled binary that command-line tests drive: RTCHAT_BIN where it is set (scripts/test builds and sets it),
 * else dist/rtchat, built when a source is newer. Building twice at once is harmless: the file changes in one step.
 */
import { join, resolve } from "node:path";

/** The top of the repository. */
const repository = resolve(import.meta.dir, "../..");

let built: Promise<string> | undefined;

async function build(): Promise<string> {
  const given = process.env["RTCHAT_BIN"] ?? "";
  if (given !== "") return given;
  const child = Bun.spawn([join(repository, "scripts/build"), "--if-needed"], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`scripts/build ended with ${code}:\n${output}${errors}`);
  return join(repository, "dist/rtchat");
}

/** Path of an up-to-date binary. */
export function rtchatBinary(): Promise<string> {
  return (built ??= build());
}
