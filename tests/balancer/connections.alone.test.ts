/** `--max-connections` above what an edge takes when nobody says anything. Alone, because it needs most descriptors. */
import { expect, test } from "bun:test";
import type { Socket } from "bun";
import { descriptorLimit } from "../../src/net/descriptors.ts";
import { edgeLimits, netLimits } from "../../src/protocol/limits.ts";
import { openLab } from "../support/lab.ts";

const lab = openLab();
const wanted = edgeLimits.connections + 50;

test.skipIf(descriptorLimit() - 2 * netLimits.descriptorHeadroom < wanted)(
  "a balancer takes as many connections as it was told to, and not one more",
  async () => {
    const flags = ["--port", "0", "--no-admin", "--backends", "127.0.0.1:1", "--hold", "5m"];
    const balancer = await lab.start("balancer", ...flags, "--max-connections", String(wanted));
    const { listen = "" } = await balancer.ready();
    const port = Number(listen.split(":").at(-1));
    const refusals: string[] = [];
    const sockets: Socket[] = [];
    const connect = () =>
      Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          // Who has said a line waits for a server, and is not asked for a hello in time.
          open: (socket) => void socket.write("a line\n"),
          data: (_, bytes) => {
            const text = bytes.toString();
            if (text.includes("error")) refusals.push(text);
          },
          error: () => {},
        },
      });
    try {
      while (sockets.length < wanted) {
        const more = Math.min(250, wanted - sockets.length);
        sockets.push(...(await Promise.all(Array.from({ length: more }, connect))));
      }
      expect(refusals).toEqual([]);
      sockets.push(await connect());
      while (refusals.length === 0) await Bun.sleep(5);
      expect(refusals).toHaveLength(1);
      expect(refusals[0]).toContain(`the limit of ${wanted} connections is reached`);
    } finally {
      for (const socket of sockets) socket.terminate();
    }
  },
  60_000,
);
