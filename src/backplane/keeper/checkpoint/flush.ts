/**
 * Writing the database file back ahead of the checkpoint that needs it.
 *
 * SQLite syncs the database only when a checkpoint reaches the WAL's end, which under load none does but the one that
 * commits are held for; that one would wait for all that a quarter of a gigabyte of WAL has changed. So what earlier ones
 * copied is synced right after them, beside the commits.
 *
 * No other descriptor of the file may be opened for this, because closing it would drop the process's locks; the system
 * says which ones SQLite has (Linux only: elsewhere nothing is written ahead). The checkpoint's own is not used: the system
 * reports a failed write once to each descriptor, and that report is for SQLite.
 */
import { fdatasyncSync, readdirSync, readlinkSync, realpathSync } from "node:fs";

const FOLDER = "/proc/self/fd";

/** @returns whether this descriptor is of the file with this real path */
function leadsTo(descriptor: string, path: string): boolean {
  try {
    return readlinkSync(`${FOLDER}/${descriptor}`) === path;
  } catch {
    // Closed meanwhile.
    return false;
  }
}

/** Descriptors that this process has of a file; none where the system does not say. */
export function descriptorsOf(file: string): string[] {
  try {
    const path = realpathSync(file);
    return readdirSync(FOLDER).filter((descriptor) => leadsTo(descriptor, path));
  } catch {
    return [];
  }
}

/**
 * Syncs a file by one of these descriptors, which others may have closed. A failure is left to SQLite, whose own sync will
 * be told of it.
 * @returns whether it was synced
 */
export function flush(file: string, descriptors: readonly string[]): boolean {
  try {
    const path = realpathSync(file);
    const open = descriptors.find((descriptor) => leadsTo(descriptor, path));
    if (open === undefined) return false;
    fdatasyncSync(Number(open));
    return true;
  } catch {
    return false;
  }
}
