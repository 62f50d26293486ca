/** Sockets for tests: a bare one that records, and waiting for conditions. */
import type { Socket } from "bun";
import { systemClock } from "../../src/protocol/clock.ts";
import type { Connection, ConnectionEnd, ConnectionHandlers } from "../../src/net/connection.ts";
import type { ConnectionSettings } from "../../src/net/connection.ts";

/** Waits until `condition` holds; fails after five seconds with `what`. */
export async function until(condition: () => boolean, what = condition.toString()): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > 5_000) throw new Error(`waited in vain until ${what}`);
    await Bun.sleep(1);
  }
}

/** Settings with small limits. */
export function settingsOf(limits: Partial<ConnectionSettings["limits"]> = {}): ConnectionSettings {
  return {
    clock: systemClock,
    limits: { outboxBytes: 64 << 20, highWaterBytes: 1 << 20, lingerMs: 2_000, ...limits },
  };
}

/** An owner that records what it is told. */
export class Recorder implements ConnectionHandlers {
  readonly chunks: Uint8Array[] = [];
  readonly events: string[] = [];
  connection: Connection | undefined;
  bytes = 0;
  pressures = 0;
  drains = 0;
  error: Error | undefined;

  /** For `accept` and `opened`. */
  readonly take = (connection: Connection): this => {
    this.connection = connection;
    return this;
  };

  /** The connection, once there. */
  get open(): Connection {
    if (this.connection === undefined) throw new Error("no connection yet");
    return this.connection;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  data(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.chunks.push(chunk);
  }
  pressure(): void {
    this.pressures += 1;
  }
  drain(): void {
    this.drains += 1;
  }
  end(): void {
    this.events.push("end");
  }
  close(end: ConnectionEnd, error?: Error): void {
    this.events.push(`close ${end}`);
    this.error = error;
  }
}

/** A bare socket, not ours, for the other end. */
export class Bare {
  readonly chunks: Uint8Array[] = [];
  readonly events: string[] = [];
  socket: Socket | undefined;
  bytes = 0;

  static async to(at: { host: string; port: number } | { path: string }): Promise<Bare> {
    const bare = new Bare();
    const socket = {
      data: (_socket: Socket, chunk: Uint8Array) => {
        bare.bytes += chunk.length;
        bare.chunks.push(chunk);
      },
      drain: () => {},
      end: () => void bare.events.push("end"),
      close: (_socket: Socket, error?: Error) =>
        void bare.events.push(error === undefined ? "close" : "close failed"),
      error: () => {},
    };
    const shared = { socket, allowHalfOpen: true };
    bare.socket =
      "path" in at
        ? await Bun.connect({ ...shared, unix: at.path })
        : await Bun.connect({ ...shared, hostname: at.host, port: at.port });
    return bare;
  }

  get open(): Socket {
    if (this.socket === undefined) throw new Error("not connected");
    return this.socket;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}
