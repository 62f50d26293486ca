/**
 * A bare TLS echo between two processes, with the same pipes before and behind it as a pair of peers has: what is written
 * to one's stdin goes over TLS 1.3 to the other and back, and comes out of its stdout.
 *
 *   bun scripts/benchmarks/peers/echo.ts server          prints its port
 *   bun scripts/benchmarks/peers/echo.ts client PORT
 *
 * Both sides present a certificate, as peers do. Nothing is parsed, signed, checked or kept.
 */
import type { Socket } from "bun";
import { makeCredentials } from "../../../src/identity/certificate.ts";
import { loadOrCreateIdentity } from "../../../src/identity/key-file.ts";

const [role, port = "0", folder = "."] = process.argv.slice(2);
const { cert, key } = await makeCredentials(loadOrCreateIdentity(folder));
const tls = { cert, key, rejectUnauthorized: false };

/** Writes all of it; the kernel takes a few bytes whole, so that nothing has to be kept. */
function writeWhole(socket: Socket, bytes: Uint8Array): void {
  if (socket.write(bytes) !== bytes.length) throw new Error("the kernel did not take a short message whole");
}

if (role === "server") {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    tls: { ...tls, requestCert: true },
    socket: { data: (socket, bytes) => writeWhole(socket, bytes) },
  });
  process.stdout.write(`${listener.port}\n`);
  // Its parent ends it by ending its stdin.
  await Bun.stdin.text();
  process.exit(0);
}

const connected = Promise.withResolvers<void>();
const socket = await Bun.connect({
  hostname: "127.0.0.1",
  port: Number(port),
  tls,
  socket: {
    handshake: () => connected.resolve(),
    data: (_, bytes) => void process.stdout.write(bytes),
    drain() {},
  },
});
await connected.promise;
process.stdout.write("connected\n");
process.stdin.on("data", (bytes: Buffer) => writeWhole(socket, bytes));
process.stdin.on("end", () => process.exit(0));
