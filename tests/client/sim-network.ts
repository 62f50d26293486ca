/**
 * A network between a client and fake servers that breaks as a seed says: connections refused, cut in the middle of a
 * line with bytes lost in both directions, or silent for good. Everything happens on a SimClock, so that a failing seed
 * replays exactly.
 */
import type { Dial, Link, LinkHandlers } from "../../src/client/link.ts";
import { formatAddress } from "../../src/protocol/address.ts";
import type { Clock, Random } from "../../src/protocol/clock.ts";
import type { FakeConnection, FakeServer } from "./fake-server.ts";

const encoder = new TextEncoder();

/** One simulated connection. */
class SimLink implements Link {
  readonly #network: SimNetwork;
  readonly #handlers: LinkHandlers;
  #server: FakeConnection | undefined;
  #open = false;
  #closed = false;
  /** Neither side hears anything any more, nor that it ended. */
  silent = false;

  constructor(network: SimNetwork, server: FakeServer | undefined, handlers: LinkHandlers) {
    this.#network = network;
    this.#handlers = handlers;
    network.later(() => {
      if (this.#closed) return;
      if (server === undefined || network.refuse()) {
        this.#closed = true;
        handlers.closed("connection refused", "ECONNREFUSED");
        return;
      }
      this.#open = true;
      this.#server = server.accept({
        write: (text) => this.#deliver(text),
        end: () => network.later(() => this.cut("closed by the server")),
      });
      network.links.add(this);
      handlers.open();
    });
  }

  /** Server to client, in chunks cut anywhere. */
  #deliver(text: string): void {
    const bytes = encoder.encode(text);
    const cut = Math.floor(this.#network.random() * (bytes.length + 1));
    for (const chunk of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      if (chunk.length === 0) continue;
      this.#network.later(() => {
        if (!this.#closed && !this.silent) this.#handlers.data(chunk.slice());
      });
    }
  }

  write(text: string): void {
    if (!this.#open || this.#closed) return;
    const bytes = encoder.encode(text);
    this.#network.later(() => {
      if (!this.#closed && !this.silent) this.#server?.data(bytes);
    });
  }

  end(): void {
    this.#network.later(() => this.cut("closed"));
  }

  destroy(): void {
    this.#closed = true;
    this.#network.links.delete(this);
    this.#server?.closed();
  }

  /** Breaks the connection: what is under way is lost. */
  cut(reason: string): void {
    if (this.#closed) return;
    this.destroy();
    this.#network.later(() => this.#handlers.closed(reason, "RESET"));
  }
}

export class SimNetwork {
  readonly links = new Set<SimLink>();
  readonly #clock: Clock;
  readonly #servers: ReadonlyMap<string, FakeServer>;
  readonly random: Random;
  /** Share of dials that are refused. */
  refused = 0;

  /** @param servers by `host:port`; other addresses refuse */
  constructor(clock: Clock, random: Random, servers: ReadonlyMap<string, FakeServer>) {
    this.#clock = clock;
    this.random = random;
    this.#servers = servers;
  }

  /** One way through the network: constant, so that bytes stay in order. */
  later(run: () => void): void {
    this.#clock.after(5, run);
  }
  refuse(): boolean {
    return this.random() < this.refused;
  }
  cutAll(): void {
    for (const link of this.links) link.cut("connection reset");
  }

  readonly dial: Dial = (address, handlers) =>
    new SimLink(this, this.#servers.get(formatAddress(address)), handlers);
}
