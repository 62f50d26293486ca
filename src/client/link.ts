/**
 * What the client needs of a network: one way to dial. net/ has the real one; tests have one that breaks on purpose.
 */
import type { ServerAddress } from "../protocol/address.ts";

/** What a connection tells. Called synchronously; after `closed` nothing more. */
export interface LinkHandlers {
  open(): void;
  data(chunk: Uint8Array): void;
  /**
   * Never opened, or gone.
   * @param reason one clause for a person
   * @param code for programs: the system's (`ECONNREFUSED`), `ENDED` or `RESET`
   */
  closed(reason: string, code: string): void;
}

/** A connection, or the attempt to get one. */
export interface Link {
  /** Queues bytes in order. Ignored before `open` and after `closed`. */
  write(text: string): void;
  /** Flushes, then closes; `closed` follows. */
  end(): void;
  /** Closes at once, without flushing. `closed` does not follow. */
  destroy(): void;
}

/** Starts connecting. Never calls a handler before it returns. */
export type Dial = (address: ServerAddress, handlers: LinkHandlers) => Link;
