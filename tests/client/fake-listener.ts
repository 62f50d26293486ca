/** A fake server behind a real port. */
import type { Socket } from "bun";
import type { FakeConnection, FakeServer } from "./fake-server.ts";

export interface Listening {
  readonly port: number;
  readonly sockets: Set<Socket<{ connection?: FakeConnection }>>;
  stop(): void;
}

/** Listens on a free loopback port until stopped, which also cuts its connections. */
export function listenFake(server: FakeServer, port = 0): Listening {
  const sockets: Listening["sockets"] = new Set();
  const waiting = new WeakMap<object, Buffer[]>();
  /** Writes what the kernel takes; the rest on drain. */
  const flush = (socket: Socket<{ connection?: FakeConnection }>) => {
    const queue = waiting.get(socket) ?? [];
    while (queue[0] !== undefined) {
      const taken = socket.write(queue[0]);
      if (taken < queue[0].length) {
        queue[0] = queue[0].subarray(Math.max(0, taken));
        return;
      }
      queue.shift();
    }
  };
  const listener = Bun.listen<{ connection?: FakeConnection }>({
    hostname: "127.0.0.1",
    port,
    socket: {
      open(socket) {
        sockets.add(socket);
        waiting.set(socket, []);
        socket.data = {
          connection: server.accept({
            write: (text) => {
              waiting.get(socket)?.push(Buffer.from(text));
              if (waiting.get(socket)?.length === 1) flush(socket);
            },
            end: () => void socket.end(),
          }),
        };
      },
      data: (socket, chunk) => socket.data.connection?.data(chunk),
      close(socket) {
        sockets.delete(socket);
        socket.data.connection?.closed();
      },
      error() {},
      drain: flush,
    },
  });
  return { port: listener.port, sockets, stop: () => listener.stop(true) };
}
