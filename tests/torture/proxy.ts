/**
 * A TCP proxy that misbehaves on purpose.
 *
 * Between a balancer and a backend it is the network: it delays, cuts data into small pieces, and resets connections.
 * Between a client and a balancer it is the planted bug: it drops, repeats, reorders or forges single lines, so that a
 * test can show that the checker catches each of them.
 *
 * Invariant: unless a bug is planted, bytes leave each direction in the order they came, none added, none missing, up to
 * the point where a connection is cut.
 */
import type { Socket, TCPSocketListener } from "bun";
import type { Random } from "../../src/protocol/clock.ts";

/** A bug to plant, a line in fifty or so. */
export type Plant = "drop" | "duplicate" | "reorder" | "ack-early";

/** One line in this many is hit by the planted bug. */
const PLANT_EVERY = 50;
/** Cut pieces are 1 to this many bytes: smaller than a frame header now and then. */
const PIECE_BYTES = 600;

/** How a proxy treats its connections at present. */
export interface Weather {
  delayMs: number;
  split: boolean;
}

interface Side {
  peer: Socket<Side> | undefined;
  readonly toClient: boolean;
  /** What waits for its moment or for the kernel, in order. */
  readonly queue: { readonly due: number; bytes: Uint8Array }[];
  timer: ReturnType<typeof setTimeout> | undefined;
  held: string;
  /** A line kept back to come after the next one. */
  late: string | undefined;
  ended: boolean;
}

/** A running proxy. */
export class FaultProxy {
  readonly weather: Weather = { delayMs: 0, split: false };
  readonly #listener: TCPSocketListener<Side>;
  readonly #sockets = new Set<Socket<Side>>();
  readonly #random: Random;
  readonly #plant: Plant | undefined;

  constructor(target: { host: string; port: number }, random: Random, plant?: Plant) {
    this.#random = random;
    this.#plant = plant;
    const socket = {
      data: (from: Socket<Side>, bytes: Buffer) => this.#forward(from, bytes),
      drain: (to: Socket<Side>) => this.#pump(to),
      close: (from: Socket<Side>) => this.#closed(from),
      error: () => {},
    };
    this.#listener = Bun.listen<Side>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        ...socket,
        open: (near) => {
          near.data = side(true);
          this.#sockets.add(near);
          near.pause();
          Bun.connect<Side>({
            hostname: target.host,
            port: target.port,
            data: side(false),
            socket: {
              ...socket,
              open: (far) => {
                this.#sockets.add(far);
                far.data.peer = near;
                near.data.peer = far;
                near.resume();
              },
            },
          }).catch(() => near.terminate());
        },
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Resets every connection that is open now. */
  cut(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  stop(): void {
    this.#listener.stop(true);
    this.cut();
  }

  #forward(from: Socket<Side>, bytes: Buffer): void {
    const to = from.data.peer;
    if (to === undefined) return;
    const out = this.#plant === undefined ? Buffer.from(bytes) : this.#spoil(from, bytes);
    const due = performance.now() + this.weather.delayMs;
    if (!this.weather.split) {
      to.data.queue.push({ due, bytes: out });
    } else {
      for (let at = 0; at < out.length;) {
        const size = 1 + Math.floor(this.#random() * PIECE_BYTES);
        to.data.queue.push({ due, bytes: out.subarray(at, at + size) });
        at += size;
      }
    }
    this.#pump(to);
  }

  /** Writes what is due and what the kernel takes; the rest waits for its time or for a drain. */
  #pump(to: Socket<Side>): void {
    const { queue } = to.data;
    const now = performance.now();
    while (queue[0] !== undefined && queue[0].due <= now) {
      const first = queue[0];
      const written = first.bytes.length === 0 ? 0 : to.write(first.bytes);
      if (written < 0) return;
      if (written < first.bytes.length) {
        first.bytes = first.bytes.subarray(written);
        return;
      }
      queue.shift();
    }
    if (queue[0] === undefined) {
      if (to.data.ended) to.end();
      return;
    }
    clearTimeout(to.data.timer);
    to.data.timer = setTimeout(() => this.#pump(to), Math.max(1, queue[0].due - now));
  }

  #closed(from: Socket<Side>): void {
    this.#sockets.delete(from);
    clearTimeout(from.data.timer);
    const to = from.data.peer;
    if (to === undefined) return;
    to.data.ended = true;
    this.#pump(to);
  }

  /** Plants the bug in whole lines, and holds an incomplete one back. */
  #spoil(from: Socket<Side>, bytes: Buffer): Buffer {
    const toClient = !from.data.toClient;
    const lines = (from.data.held + bytes.toString("latin1")).split("\n");
    from.data.held = lines.pop() ?? "";
    const out: string[] = [];
    for (const line of lines) this.#spoilLine(from, line, toClient, out);
    return Buffer.from(out.map((line) => `${line}\n`).join(""), "latin1");
  }

  #spoilLine(from: Socket<Side>, line: string, toClient: boolean, out: string[]): void {
    const hit = this.#random() * PLANT_EVERY < 1;
    if (!toClient) {
      if (this.#plant !== "ack-early" || !hit || !line.includes('"type":"send"')) {
        out.push(line);
        return;
      }
      const { id, room } = JSON.parse(line) as { id: string; room: string };
      // The promise is given and the message forgotten: what acknowledging before the commit means in a crash.
      from.write(`${JSON.stringify({ type: "ack", id, room, seq: 1_000_000, at: 0 })}\n`);
      return;
    }
    // Only what a client is sent as a message: a history page has messages inside, and the judge reads the log from those.
    const message = line.startsWith('{"type":"message"');
    if (from.data.late !== undefined && message) {
      out.push(line, from.data.late);
      from.data.late = undefined;
      return;
    }
    if (!hit || !message) out.push(line);
    else if (this.#plant === "duplicate") out.push(line, line);
    else if (this.#plant === "reorder") from.data.late = line;
    else if (this.#plant !== "drop") out.push(line);
  }
}

function side(toClient: boolean): Side {
  return { peer: undefined, toClient, queue: [], timer: undefined, held: "", late: undefined, ended: false };
}
