/** TLS handshakes that break at a place of the test's choice. */
import { connect, createServer, type Socket } from "node:net";

/**
 * A way to a port on which one TLS record is spoilt, counted from 0. OpenSSL sends the proof that it holds the certificate's
 * key in a record of its own, after the certificate: without it anybody can show anybody's certificate.
 */
export async function spoilt(
  onClose: (close: () => void) => void,
  to: number,
  whose: "dialler" | "listener",
  record: number,
): Promise<number> {
  const proxy = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    const carry = (from: Socket, into: Socket, isWhose: boolean): void => {
      let bytes = Buffer.alloc(0);
      let count = 0;
      from.on("data", (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        for (let length = 0; bytes.length >= 5 && bytes.length >= (length = 5 + bytes.readUInt16BE(3));) {
          const one = Buffer.from(bytes.subarray(0, length));
          bytes = bytes.subarray(length);
          if (isWhose && count === record) one.writeUInt8(one.readUInt8(length - 1) ^ 1, length - 1);
          count += 1;
          into.write(one);
        }
      });
      from.on("error", () => into.destroy());
      from.on("close", () => into.destroy());
    };
    carry(near, far, whose === "dialler");
    carry(far, near, whose === "listener");
  });
  onClose(() => void proxy.close());
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("a port has an address");
  return address.port;
}
