/** Who may come in, decided before a byte is read as chat. The balancer's door is one; without a gate everybody may. */

/** What a gate said. */
export type Admission =
  | { readonly admitted: true }
  /** `message`: one sentence for the client. */
  | { readonly admitted: false; readonly reason: string; readonly message: string };

/** The beginning of a connection from a trusted proxy, so far. */
export type Preamble =
  | { readonly kind: "incomplete" }
  | { readonly kind: "invalid"; readonly detail: string }
  | {
      readonly kind: "header";
      /** Bytes of the header; what follows is the client's. */
      readonly length: number;
      /** Who is behind the proxy; absent when the proxy speaks for itself. */
      readonly source?: { readonly ip: string; readonly port: number };
    };

/** See above. Synchronous, must not throw. */
export interface Gate {
  /** One more connection of `ip`. Admitted: {@link leave} is called once when it has gone. */
  enter(ip: string): Admission;
  leave(ip: string): void;
  /** True if connections from this address begin with a PROXY header that names the real client. */
  isProxy?(ip: string): boolean;
  /** Reads a PROXY header; `bytes` is all that came so far. */
  readPreamble?(bytes: Uint8Array): Preamble;
}
