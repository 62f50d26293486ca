/** One server of two that loses its way to Redis: its people go on at the other, and nobody hears of it. */
import { afterAll, expect, test } from "bun:test";
import { Proxy } from "../backplane/redis-proxy.ts";
import { RedisServer } from "../backplane/redis-support.ts";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";
import { findService } from "../support/services.ts";

const lab = openLab();
const program = findService("redis-server");
const stops: (() => unknown)[] = [];
afterAll(async () => {
  for (const stop of stops) await stop();
});

interface Health {
  readonly status: string;
  readonly notes: readonly string[];
}

test.skipIf(program === undefined)("the balancer says so, and moves them", async () => {
  const redis = await new RedisServer(program ?? "").start();
  const proxy = new Proxy(redis.port);
  stops.push(
    () => proxy.stop(),
    () => redis.remove(),
  );
  const servers: string[] = [];
  for (const port of [redis.port, proxy.port]) {
    const server = await lab.start("server", "--port", "0", "--backplane", `redis://127.0.0.1:${port}`);
    servers.push((await server.ready())["listen"] ?? "");
  }
  const balancer = await lab.start(
    "balancer",
    "--backends",
    servers.join(","),
    "--port",
    "0",
    "--admin",
    "0",
  );
  const { listen = "", admin = "" } = await balancer.ready();
  const health = async () => (await (await fetch(`http://${admin}/health`)).json()) as Health;
  await eventually(
    async () => (await health()).status === "pass",
    () => "two servers that are up",
  );
  const people = [];
  for (const nick of ["ana", "ben"]) {
    const one = await lab.start("client", "--connect", listen, "--nick", nick, "--json", "--follow");
    await one.line(/"type":"joined"/);
    people.push(one);
  }

  proxy.closed = true;
  proxy.cut();
  await eventually(
    async () =>
      (await health()).notes.some((note) => note.startsWith(`${servers[1]} is up: its log is down`)),
    () => `health to tell of ${servers[1]}`,
  );
  expect((await health()).status).toBe("warn");
  for (const one of people) one.write("still here\n");
  for (const one of people) {
    await eventually(
      () => one.output.stdout.match(/"type":"message".*still here/g)?.length === 2,
      () => `both messages in ${one.output.stdout}`,
    );
  }
  const stats = (await (await fetch(`http://${admin}/api/v1/stats`)).json()) as { handovers: { in: number } };
  expect(stats.handovers.in).toBe(1);
  for (const one of people) {
    expect(one.output.stdout).not.toContain('"state":"leave"');
    expect(one.output.stdout.match(/"state":"online"/g)).toHaveLength(1);
    expect(one.output.stderr).toBe("");
  }
});
