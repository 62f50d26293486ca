/**
 * Which file is it: the one that was written to, or a copy of it.
 *
 * The row that names the keeper lies in the log file, and so is copied with it. Believed there, it would lead a server
 * on a copy to the keeper of the original, who would write what this server's people say into the other log; and a copy
 * is older than what people have seen of the original, so its next positions have been given to other messages. So the
 * row also names its file, by inode and time of birth: another file keeps its name when it is renamed, and no copy has
 * both. Where the system does not tell the time of birth, the inode alone decides.
 */
import { statSync } from "node:fs";

/** A row whose file is to be taken for a copy, whatever becomes of it: a backup's. */
export const ALWAYS_COPY = "copy";

/**
 * Names a file, `inode:birth`; `birth` is ns since 1970, empty where it is not known.
 * @throws a system error when it cannot be looked at
 */
export function fileIdentity(file: string): string {
  const { ino, birthtimeNs, ctimeNs } = statSync(file, { bigint: true });
  // Where a file system knows no birth, the time of the last change is given for it; it moves.
  const known = birthtimeNs > 0n && birthtimeNs !== ctimeNs;
  return `${ino}:${known ? birthtimeNs : ""}`;
}

/** Whether a row was written in another file than this one. Rows of earlier versions, which say nothing, were not. */
export function isCopy(written: string, present: string): boolean {
  if (written === "" || written === present) return false;
  const [inode, birth] = written.split(":");
  const [presentInode, presentBirth] = present.split(":");
  return inode !== presentInode || (birth !== "" && presentBirth !== "");
}
