/** The Redis backplane over TLS: a certificate of one's own authority is trusted when named, and no other. */
import "reflect-metadata";
import { PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { BackplaneHealth } from "../../src/backplane/backplane.ts";
import { parseRedisAddress } from "../../src/backplane/redis/address.ts";
import { RedisBackplane } from "../../src/backplane/redis/redis.ts";
import { systemClock, type Clock } from "../../src/protocol/clock.ts";
import { Server } from "../conformance/backplane-support.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { findService } from "../support/services.ts";
import { testLogger } from "./keeper-support.ts";
import { newPrefix, RedisServer, testLimits } from "./redis-support.ts";

const program = findService("redis-server");

/** A self-signed certificate for 127.0.0.1. */
async function certificate(): Promise<{ cert: string; key: string }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const made = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=redis for tests",
    notBefore: new Date("2000-01-01T00:00:00Z"),
    notAfter: new Date("2100-01-01T00:00:00Z"),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }])],
  });
  const key = PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { cert: made.toString("pem"), key };
}

describe.skipIf(program === undefined)("Redis over TLS", () => {
  let store: RedisServer;
  let authority: string;
  beforeAll(async () => {
    store = new RedisServer(
      program ?? "",
      "--tls-port",
      "$PORT",
      "--tls-auth-clients",
      "no",
      "--requirepass",
      "secret",
    );
    const { cert, key } = await certificate();
    authority = join(store.folder, "redis.crt");
    const keyFile = join(store.folder, "redis.key");
    await Bun.write(authority, cert);
    await Bun.write(keyFile, key);
    store.options.push(
      "--tls-cert-file",
      authority,
      "--tls-key-file",
      keyFile,
      "--tls-ca-cert-file",
      authority,
    );
    store.plain = false;
    await store.start();
  });
  afterAll(() => store.remove());

  const plane = (query: string, clock: Clock = systemClock): RedisBackplane =>
    new RedisBackplane({
      address: parseRedisAddress(`rediss://:secret@127.0.0.1:${store.port}/?prefix=${newPrefix()}${query}`),
      log: testLogger,
      limits: testLimits,
      clock,
    });

  test("serves when its authority is named", async () => {
    const server = await new Server(plane(`&ca=${encodeURIComponent(authority)}`)).start();
    const follower = await server.follow("lobby");
    await server.publish("lobby", "k");
    await follower.hears("entry k");
    await server.plane.stop(true);
  });

  test("is not trusted otherwise", async () => {
    // Its patience ends when it knows why, however long a handshake takes on a busy machine.
    const clock = new ManualClock();
    const health = ({ state }: BackplaneHealth): void => {
      if (state === "down") clock.advance(testLimits.startMs);
    };
    await expect(plane("", clock).start({ taken() {}, told() {}, health })).rejects.toThrow(
      /cannot reach rediss:.*(self.signed|certificate)/i,
    );
  });
});
