/**
 * Real trunks for the monitor: a RemoteTrunk for the wire, a link of the edge for the sessions, joined here.
 *
 * The edge gets the trunk when its handshake is done, and loses it before the monitor hears of its end, so that by then
 * every session has left the backend.
 */
import { randomBytes } from "node:crypto";
import type { Edge } from "../edge/edge.ts";
import type { EdgeIdentity } from "../edge/handshake.ts";
import type { TrunkLink } from "../edge/link.ts";
import { RemoteTrunk } from "../edge/remote-trunk.ts";
import type { EdgePort, HubPort, Trunk, TrunkFate } from "../edge/trunk.ts";
import type { Clock } from "../protocol/clock.ts";
import type { Backend } from "./backend.ts";
import type { OpenTrunk, TrunkEvents } from "./monitor.ts";
import type { Traffic } from "./traffic.ts";

/** What trunks need. */
export interface TrunkMakerOptions {
  readonly edge: Edge;
  readonly traffic: Traffic;
  readonly secret: Uint8Array;
  readonly self: EdgeIdentity;
  readonly clock: Clock;
}

/** Opens trunks to backends, and gives them to the edge. */
export function trunkMaker(options: TrunkMakerOptions): OpenTrunk {
  return (backend, events) => new BackendTrunk(backend, events, options);
}

class BackendTrunk implements Trunk {
  readonly #options: TrunkMakerOptions;
  readonly #backend: Backend;
  readonly #remote: RemoteTrunk;
  #link: TrunkLink | undefined;
  #fate: TrunkFate | undefined;

  constructor(backend: Backend, events: TrunkEvents, options: TrunkMakerOptions) {
    this.#options = options;
    this.#backend = backend;
    this.#remote = new RemoteTrunk({
      to: { host: backend.host, port: backend.port },
      secret: options.secret,
      self: options.self,
      clock: options.clock,
      patience: backend.patience,
      nonce: () => randomBytes(16).toString("hex"),
      events: {
        open: (hub) => {
          const link = options.edge.attach(this, backend.id);
          this.#link = link;
          options.traffic.opened(backend, link);
          events.open(hub.cluster);
          return link;
        },
        report: (report, roundTripMs) => events.report(report, roundTripMs),
        pressure: () => this.#fate?.pressed(),
        relief: () => this.#fate?.eased(),
        closed: (end) => {
          this.#leave();
          this.#fate?.gone();
          events.closed(end);
        },
      },
    });
  }

  /** For the edge: called by Edge.attach, after the handshake. */
  start(_edge: EdgePort, fate: TrunkFate): HubPort {
    const { port } = this.#remote;
    if (port === undefined) throw new Error(`the trunk to ${this.#backend.id} is not open`);
    this.#fate = fate;
    return port;
  }

  /** Ends the trunk: for the monitor, and by way of the link for the edge. */
  stop(): void {
    const link = this.#link;
    this.#leave();
    if (link?.isOpen === true) link.stop();
    else this.#remote.stop();
  }

  #leave(): void {
    if (this.#link !== undefined) this.#options.traffic.lost(this.#backend, this.#link);
    this.#link = undefined;
  }
}
