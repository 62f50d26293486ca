/** When calls to Redis may be made. */
import type { Gate } from "./room-scripts.ts";

/** Closed without a connection, and until all servers have compared their positions with a new Redis. */
export class Door implements Gate {
  stopped = false;
  #opened: PromiseWithResolvers<void> | undefined = Promise.withResolvers<void>();

  get closed(): Promise<void> | undefined {
    return this.#opened?.promise;
  }

  open(): void {
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  close(): void {
    this.#opened ??= Promise.withResolvers<void>();
  }

  stop(): void {
    this.stopped = true;
    this.open();
  }
}
