/**
 * Whether what a dead process had written and not synced is still there.
 *
 * A process that is killed loses nothing that it wrote: the system has it, and writes it out. It is lost when the machine
 * dies, or when the disk is pulled out. So this names the machine's run from boot to halt, together with the disk as it
 * is attached: the same name later means that nothing was lost in between. Known on Linux only.
 */
import { readFileSync, statSync } from "node:fs";

/** The name for the disk that holds `path`; undefined where the system does not tell, and then it is never the same. */
export function machineRun(path: string): string | undefined {
  const boot = firstOf(["/proc/sys/kernel/random/boot_id"]);
  if (boot === undefined) return undefined;
  const { dev } = statSync(path, { bigint: true });
  // Linux's makedev: twelve bits of the major number lie between those of the minor one.
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  const device = `/sys/dev/block/${major}:${minor}`;
  // Counts the disks that were attached since boot; of a partition it is in the folder of its disk.
  const attached = firstOf([`${device}/diskseq`, `${device}/../diskseq`]) ?? "";
  return `${boot} ${dev} ${attached}`;
}

/** What the first of these files says; undefined when there is none, or it is empty. */
function firstOf(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    try {
      const text = readFileSync(path, "utf8").trim();
      if (text !== "") return text;
    } catch {
      // Not this system, or not this kind of disk.
    }
  }
  return undefined;
}
