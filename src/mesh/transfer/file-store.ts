/** What transfers need of a disk. Every promise rejects with a {@link FileStoreError} and nothing else. */

/** A file that could not be read or written. The message says what happened, with the path, for the person here. */
export class FileStoreError extends Error {
  override readonly name = "FileStoreError";
  readonly code: "not-found" | "not-a-file" | "no-space" | "disk";
  constructor(code: FileStoreError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** A file to send. */
export interface SourceFile {
  /** Without its folder. */
  readonly name: string;
  readonly size: number;
  /** ms since 1970: with the size it tells whether the file is still what was offered. */
  readonly modifiedMs: number;
  /** Up to `length` bytes from `offset`; fewer at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A file that is arriving, under a name of its own. */
export interface PartFile {
  /** Bytes that were there when it was opened: of an earlier run. */
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Resolves when all of it is written. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /**
   * Makes it the finished file, under `name` or the next free number of it; nothing is ever overwritten.
   * @returns the path
   */
  finish(name: string): Promise<string>;
  /** Keeps what is there for a later run. */
  close(): Promise<void>;
  /** Removes it. */
  discard(): Promise<void>;
}

/** Where files come from and go to. */
export interface FileStore {
  openSource(path: string): Promise<SourceFile>;
  /**
   * Opens what has arrived so far, or begins.
   * @param name the safe name of the file
   * @param key tells transfers of one name apart, 12 hex digits
   * @param size of the whole; it is refused (`no-space`) when what is missing does not fit on the disk
   */
  openPart(name: string, key: string, size: number): Promise<PartFile>;
}
