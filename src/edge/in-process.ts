/**
 * The trunk within one process: a server's own clients and its hub, with no bytes in between.
 *
 * Each side calls the other directly. Order is kept because both are synchronous, and neither is surprised in the
 * middle of its own work: an edge calls a hub only from its sockets or at the end of a turn, never while the hub speaks;
 * a hub may answer while it is being called, which sessions expect.
 */
import type { EdgePort, HubHost, HubPort, Trunk } from "./trunk.ts";

/** See the head of this file. */
export class InProcessTrunk implements Trunk {
  readonly #host: HubHost;
  readonly #edgeName: string;
  #detach: (() => void) | undefined;

  /** @param edgeName what the hub calls this edge */
  constructor(host: HubHost, edgeName: string) {
    this.#host = host;
    this.#edgeName = edgeName;
  }

  start(edge: EdgePort): HubPort {
    const attachment = this.#host.attach(edge, this.#edgeName);
    this.#detach = () => attachment.detach();
    return attachment.port;
  }

  stop(): void {
    this.#detach?.();
    this.#detach = undefined;
  }
}
