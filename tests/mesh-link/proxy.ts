/** A TCP proxy that a test controls: it records what passes, delays nothing, and can cut everything at once. */
import type { Socket } from "bun";
import type { Address } from "../../src/protocol/address.ts";
import type { Cleanup } from "./support.ts";

interface Side {
  other: Socket<Side> | undefined;
  readonly held: Buffer[];
}

/** See above. */
export class Proxy {
  readonly address: Address;
  /** Everything that passed, both ways. */
  readonly seen: Buffer[] = [];
  readonly #to: Address;
  readonly #open = new Set<Socket<Side>>();
  /** While frozen, bytes are swallowed: the connections look alive and are not. */
  isFrozen = false;
  /** While closed, whoever comes is turned away at once. */
  isClosed = false;

  constructor(cleanup: Cleanup, to: Address) {
    this.#to = to;
    const handlers = this.#handlers();
    const listener = Bun.listen<Side>({
      hostname: "127.0.0.1",
      port: 0,
      socket: { ...handlers, open: (socket) => this.#accept(socket) },
    });
    this.address = { host: "127.0.0.1", port: listener.port };
    cleanup.add(() => {
      listener.stop(true);
      this.cut();
    });
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#open) socket.terminate();
  }

  #handlers() {
    return {
      data: (socket: Socket<Side>, chunk: Buffer) => {
        this.seen.push(chunk);
        if (this.isFrozen) return;
        const { other } = socket.data;
        // Loopback takes what a test sends; more than the kernel takes would be the test's own fault.
        if (other === undefined) socket.data.held.push(chunk);
        else if (other.write(chunk) !== chunk.length) throw new Error("the proxy is full");
      },
      close: (socket: Socket<Side>) => {
        this.#open.delete(socket);
        socket.data.other?.end();
      },
      end: (socket: Socket<Side>) => void socket.end(),
      drain: () => {},
      error: (socket: Socket<Side>) => socket.terminate(),
    };
  }

  #accept(client: Socket<Side>): void {
    client.data = { other: undefined, held: [] };
    if (this.isClosed) {
      client.terminate();
      return;
    }
    this.#open.add(client);
    const data: Side = { other: client, held: [] };
    Bun.connect<Side>({
      hostname: this.#to.host,
      port: this.#to.port,
      data,
      socket: {
        ...this.#handlers(),
        open: (server) => {
          this.#open.add(server);
          client.data.other = server;
          for (const chunk of client.data.held.splice(0)) server.write(chunk);
        },
      },
    }).catch(() => client.terminate());
  }
}
