/**
 * A listening socket that outlives whoever accepts from it.
 *
 * When a process stops listening, connections that the system had taken for it and that it had not accepted yet are reset.
 * So where one process follows another at the same port, somebody above them holds the socket open: he never accepts, and
 * gives each process that should (over inheritance) a descriptor of its own. A connection that comes while one of them goes
 * is then taken by the other.
 *
 * Bun has no way to hold a socket without accepting, so the descriptor is duplicated by the C library.
 */
import { dlopen } from "bun:ffi";
import type { Address } from "../protocol/address.ts";
import { listen, type Listener } from "./listener.ts";

/** Names of the C library, the likeliest first. */
const libraries =
  process.platform === "darwin"
    ? ["libSystem.B.dylib"]
    : ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`, "libc.so"];

function openLibrary() {
  let last: unknown;
  for (const name of libraries) {
    try {
      return dlopen(name, {
        dup: { args: ["int"], returns: "int" },
        close: { args: ["int"], returns: "int" },
      }).symbols;
    } catch (error) {
      last = error;
    }
  }
  throw new Error("this system's C library cannot be used", { cause: last });
}

let library: ReturnType<typeof openLibrary> | undefined;

/** See the head of this file. */
export class HeldSocket {
  /** To be inherited: given to a child, it is open there under another number. */
  readonly descriptor: number;
  /** Where, as people write it, with the real port. */
  readonly address: string;

  /**
   * Holds the socket of a listener, whatever becomes of that.
   * @throws Error where descriptors cannot be duplicated
   */
  constructor(listener: Listener) {
    library ??= openLibrary();
    this.address = listener.address;
    this.descriptor = library.dup(listener.descriptor);
    if (this.descriptor < 0) throw new Error("no file descriptors are left; raise the limit (ulimit -n)");
  }

  /** Lets it go. Once. */
  close(): void {
    library?.close(this.descriptor);
  }
}

/**
 * Binds a socket and holds it; nobody accepts from it yet, and connections wait in the system's queue.
 * @param shared other sockets may have the same address, and the system spreads newcomers over them
 * @throws ListenError
 */
export function holdSocket(at: Address, shared: boolean): HeldSocket {
  const listener = listen({
    at,
    reusePort: shared,
    settings: neverUsed,
    accept: () => ({ data: () => {}, close: () => {} }),
  });
  try {
    return new HeldSocket(listener);
  } finally {
    // In the same turn of the loop, so nobody was accepted.
    listener.stop();
  }
}

const noClock = (): never => {
  throw new Error("a held socket accepts nobody");
};
const neverUsed = {
  clock: { now: noClock, monotonic: noClock, after: noClock, every: noClock },
  limits: { outboxBytes: 0, highWaterBytes: 0, lingerMs: 0 },
};
