/** The client's way to the network: {@link Dial} over src/net. */
import { dial } from "../net/dial.ts";
import type { DialError } from "../net/dial.ts";
import type { Connection } from "../net/connection.ts";
import type { Clock } from "../protocol/clock.ts";
import { chatClientLimits } from "../protocol/limits.client.ts";
import type { Dial, Link, LinkHandlers } from "./link.ts";
import type { TlsTrust } from "../net/tls-trust.ts";
import type { ServerAddress } from "../protocol/address.ts";

const encoder = new TextEncoder();

class NetLink implements Link {
  readonly #handlers: LinkHandlers;
  readonly #abort = new AbortController();
  #connection: Connection | undefined;
  /** Nothing more is told. */
  #silent = false;

  constructor(clock: Clock, to: ServerAddress, trust: TlsTrust, handlers: LinkHandlers) {
    this.#handlers = handlers;
    const { outboxBytes, lineBytes: highWaterBytes, byeMs: lingerMs } = chatClientLimits;
    dial({
      to,
      ...(to.tls === true ? { tls: trust } : {}),
      settings: { clock, limits: { outboxBytes, highWaterBytes, lingerMs } },
      // A backstop: the client's own deadline comes first.
      timeoutMs: chatClientLimits.dialMs * 2,
      signal: this.#abort.signal,
      opened: (connection) => {
        this.#connection = connection;
        return {
          data: (chunk) => {
            if (!this.#silent) handlers.data(chunk);
          },
          close: (_, error) => {
            if (error === undefined) this.#closed("the server ended the connection", "ENDED");
            else this.#closed(error.message, "RESET");
          },
        };
      },
    }).then(
      () => {
        if (!this.#silent) handlers.open();
      },
      (error: DialError) => this.#closed(error.reason, error.code),
    );
  }

  #closed(reason: string, code: string): void {
    if (this.#silent) return;
    this.#silent = true;
    this.#handlers.closed(reason, code);
  }

  write(text: string): void {
    this.#connection?.write(encoder.encode(text));
  }

  end(): void {
    this.#connection?.finish();
    this.#abort.abort();
  }

  destroy(): void {
    this.#silent = true;
    this.#connection?.terminate();
    this.#abort.abort();
  }
}

/** Dials over TCP, with TLS where an address asks for it. @param trust whom to believe then; by default the system */
export function netDial(clock: Clock, trust: TlsTrust = {}): Dial {
  return (address, handlers) => new NetLink(clock, address, trust, handlers);
}
