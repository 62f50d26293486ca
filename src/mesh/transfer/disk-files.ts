/**
 * Transfers' files on the real disk.
 *
 * A part file is `NAME.KEY.part` in the downloads folder, found again by that name in another run, and never followed
 * through a symbolic link. It gets its final name by a hard link, which the kernel refuses when the name is taken: so
 * nothing is overwritten even if two programs choose one name at once. Where a file system has no hard links, the name
 * is first taken by an empty file of our own.
 */
import { constants } from "node:fs";
import { link, mkdir, open, rename, rm, statfs, type FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import { codeOf } from "../../identity/private-file.ts";
import { numberedName } from "./file-name.ts";
import { FileStoreError, type FileStore, type PartFile, type SourceFile } from "./file-store.ts";

/** Numbers tried for a name before giving up. */
const namesMost = 10_000;

/** Reads from anywhere, writes into one folder, which is made when it is first needed. */
export class DiskFiles implements FileStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  openSource(path: string): Promise<SourceFile> {
    return explained(path, async () => {
      // Without O_NONBLOCK the opening of a named pipe would wait for somebody who writes to it.
      const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stats = await handle.stat().catch(closing(handle));
      if (!stats.isFile()) {
        await handle.close();
        const what = stats.isDirectory() ? "a folder; pack it into one file first" : "not a file";
        throw new FileStoreError("not-a-file", `${path} is ${what}`);
      }
      return {
        name: basename(path),
        size: stats.size,
        modifiedMs: stats.mtimeMs,
        read: (offset, length) => explained(path, () => readAt(handle, offset, length)),
        close: () => explained(path, () => handle.close()),
      };
    });
  }

  openPart(name: string, key: string, size: number): Promise<PartFile> {
    const path = join(this.#folder, `${name}.${key}.part`);
    return explained(path, async () => {
      await mkdir(this.#folder, { recursive: true });
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
      let handle = await open(path, flags, 0o666);
      if ((await handle.stat().catch(closing(handle))).nlink > 1) {
        // It got its name in a run that was killed before this one was taken away: it is somebody's file now.
        await handle.close();
        await rm(path, { force: true });
        handle = await open(path, flags, 0o666);
      }
      const have = await partSize(handle, size).catch(closing(handle));
      const { bavail, bsize } = await statfs(this.#folder);
      if (size - have > bavail * bsize) {
        await handle.close();
        if (have === 0) await rm(path, { force: true });
        const message = `${this.#folder} has ${bavail * bsize} bytes left, and ${size - have} are missing of ${name}`;
        throw new FileStoreError("no-space", message);
      }
      return new DiskPart(this.#folder, path, handle, have);
    });
  }
}

class DiskPart implements PartFile {
  readonly size: number;
  readonly #folder: string;
  readonly #path: string;
  readonly #handle: FileHandle;

  constructor(folder: string, path: string, handle: FileHandle, size: number) {
    this.#folder = folder;
    this.#path = path;
    this.#handle = handle;
    this.size = size;
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return explained(this.#path, () => readAt(this.#handle, offset, length));
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return explained(this.#path, async () => {
      let written = 0;
      while (written < bytes.length) {
        const rest = bytes.length - written;
        const { bytesWritten } = await this.#handle.write(bytes, written, rest, offset + written);
        written += bytesWritten;
      }
    });
  }

  finish(name: string): Promise<string> {
    return explained(this.#path, async () => {
      // The sender forgets it when we say that it is done: first it must be past a power cut.
      await this.#handle.datasync();
      await this.#handle.close();
      for (let number = 1; number <= namesMost; number += 1) {
        const target = join(this.#folder, number === 1 ? name : numberedName(name, number));
        if (await moved(this.#path, target)) return target;
      }
      throw new FileStoreError(
        "disk",
        `${join(this.#folder, name)} and ${namesMost} names like it are taken`,
      );
    });
  }

  close(): Promise<void> {
    return explained(this.#path, () => this.#handle.close());
  }

  discard(): Promise<void> {
    return explained(this.#path, async () => {
      // Closed already if it failed to get its name.
      await this.#handle.close().catch(() => {});
      await rm(this.#path, { force: true });
    });
  }
}

/** Bytes that are there of a file of `size`; one that is longer, or no plain file, is not ours. */
async function partSize(handle: FileHandle, size: number): Promise<number> {
  const stats = await handle.stat();
  if (!stats.isFile()) throw new FileStoreError("not-a-file", "the part file is not a file");
  if (stats.size <= size) return stats.size;
  await handle.truncate(0);
  return 0;
}

/** Gives a file another name unless that is taken. @returns whether it has it now */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    await rm(from, { force: true });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(codeOf(error))) throw error;
  }
  try {
    await (await open(to, "wx")).close();
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
  await rename(from, to);
  return true;
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let have = 0;
  while (have < length) {
    const { bytesRead } = await handle.read(bytes, have, length - have, offset + have);
    if (bytesRead === 0) break;
    have += bytesRead;
  }
  return bytes.subarray(0, have);
}

/** Closes the handle of something that failed, and lets the failure go on. */
function closing(handle: FileHandle): (error: unknown) => Promise<never> {
  return async (error) => {
    await handle.close();
    throw error;
  };
}

const sentences: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "may not be read or written by you",
  EPERM: "may not be read or written by you",
  ENOSPC: "does not fit on the disk",
  EDQUOT: "does not fit into your quota",
  EROFS: "is on a disk that cannot be written",
  ELOOP: "is a symbolic link",
};

async function explained<Value>(path: string, run: () => Promise<Value>): Promise<Value> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof FileStoreError) throw error;
    const code = codeOf(error);
    const kinds = { ENOENT: "not-found", ENOSPC: "no-space", EDQUOT: "no-space" } as const;
    const kind = Object.entries(kinds).find(([known]) => known === code)?.[1] ?? "disk";
    throw new FileStoreError(kind, `${path} ${sentences[code] ?? `cannot be used (${code})`}`);
  }
}
