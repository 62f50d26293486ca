/** The Redis backplane on a real server: what every backplane promises. */
import { afterAll, beforeAll, describe } from "bun:test";
import { backplaneConformance } from "../conformance/backplane.ts";
import { findService } from "../support/services.ts";
import { redisClusters, RedisServer } from "./redis-support.ts";

const program = findService("redis-server");

describe.skipIf(program === undefined)("one Redis", () => {
  const server = new RedisServer(program ?? "");
  beforeAll(async () => {
    await server.start();
  });
  afterAll(() => server.remove());
  backplaneConformance(
    "redis",
    redisClusters(() => [server.port]),
  );
});
