/** What both directions of a transfer have in common: how it is shown, and what it needs of the exchange around it. */
import type { TransferFrame } from "./frames.ts";
import type { FileStore, FileStoreError } from "./file-store.ts";
import type { StopCode } from "./stop-codes.ts";

/**
 * Where a transfer stands.
 *
 *  - `reading`: the sender makes the file's hash, before anybody is asked;
 *  - `offered`: the receiver has not answered;
 *  - `waiting`: accepted, and not moving: for its turn, or for the other side to be there;
 *  - `running`, `done`;
 *  - `stopped`: ended without the file.
 */
export type TransferState = "reading" | "offered" | "waiting" | "running" | "done" | "stopped";

/** Why a transfer stopped. */
export interface Stopped {
  readonly code: StopCode;
  /** Which side ended it. */
  readonly by: "us" | "them";
  /** For the person here, where more is known: a path, the system's words. Never sent. */
  readonly detail?: string;
}

/** A transfer as shown. */
export interface TransferView {
  /** What a person types for it; of this run only. */
  readonly number: number;
  readonly id: string;
  readonly peer: string;
  readonly direction: "in" | "out";
  /** Safe to show and to store under. */
  readonly name: string;
  readonly size: number;
  /** Bytes on the receiver's disk, as far as is known here; of a `reading` one, bytes read. */
  readonly done: number;
  readonly state: TransferState;
  readonly stopped: Stopped | undefined;
  /** Where a received file is, once it is done. */
  readonly path: string | undefined;
}

/** What a transfer needs. */
export interface TransferHost {
  readonly store: FileStore;
  /**
   * Sends to the other side.
   * @param isBulk it may wait: taken only when nothing else waits, and offered again by {@link Outgoing.drained}
   * @returns whether it was taken. What is not bulk is made good by the exchange: both sides then say again how they stand
   */
  send(frame: TransferFrame, isBulk: boolean): boolean;
  /** Something that is shown has changed: more bytes, or another state. */
  changed(isProgress: boolean): void;
}

/** The code that tells the other side of a disk's failure. A file that is gone is not what was offered. */
export function stopCodeOf({ code }: FileStoreError): StopCode {
  if (code === "no-space") return code;
  return code === "disk" ? "disk" : "changed";
}
