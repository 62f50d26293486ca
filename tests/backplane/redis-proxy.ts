/** A TCP proxy before Redis that can be switched to another server, cut, or made to swallow what Redis says. */
import type { Socket } from "bun";

interface Pair {
  readonly client: Socket<Pair>;
  server: Socket<Pair> | undefined;
  early: Buffer[];
  /** It has subscribed to something. */
  subscriber: boolean;
  /** Nothing of what the server says gets through. */
  deaf: boolean;
}

export class Proxy {
  target: number;
  readonly #listener;
  readonly #pairs = new Set<Pair>();
  /** Connections accepted that subscribed. */
  subscribers = 0;
  /** Newcomers are refused. */
  closed = false;
  /** The first connection that says this is cut before the server has heard it. */
  cutAt: RegExp | undefined;

  constructor(target: number) {
    this.target = target;
    this.#listener = Bun.listen<Pair>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (client) => {
          const pair: Pair = { client, server: undefined, early: [], subscriber: false, deaf: false };
          client.data = pair;
          if (this.closed) return client.terminate();
          this.#pairs.add(pair);
          void this.#dial(pair);
        },
        data: ({ data: pair }, chunk) => {
          const said = chunk.toString("latin1");
          if (this.cutAt?.test(said) === true) {
            this.cutAt = undefined;
            return this.#end(pair);
          }
          if (!pair.subscriber && /\bsubscribe\r/i.test(said)) {
            pair.subscriber = true;
            this.subscribers += 1;
          }
          if (pair.server === undefined) pair.early.push(Buffer.from(chunk));
          else pair.server.write(chunk);
        },
        close: ({ data: pair }) => this.#end(pair),
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  async #dial(pair: Pair): Promise<void> {
    try {
      pair.server = await Bun.connect<Pair>({
        hostname: "127.0.0.1",
        port: this.target,
        data: pair,
        socket: {
          data: ({ data }, chunk) => {
            if (!data.deaf) data.client.write(chunk);
          },
          close: ({ data }) => this.#end(data),
        },
      });
      for (const chunk of pair.early) pair.server.write(chunk);
    } catch {
      this.#end(pair);
    }
  }

  #end(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    pair.client.terminate();
    pair.server?.terminate();
  }

  /** Cuts every connection. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** From now on the subscriptions that exist hear nothing more, and nobody is told. */
  deafen(): void {
    for (const pair of this.#pairs) if (pair.subscriber) pair.deaf = true;
  }

  stop(): void {
    this.closed = true;
    this.cut();
    this.#listener.stop(true);
  }
}
