/**
 * Scripts in a room where people talk: what they say is seen, that they come and go is not, and that they are there can be
 * seen by whoever looks, also after the server under them was killed. With either backplane.
 */
import { afterAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { RedisServer } from "../backplane/redis-support.ts";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";
import { findService } from "../support/services.ts";

const lab = openLab();
const redis = findService("redis-server");
const size = { columns: 120, rows: 24 };
const stops: (() => unknown)[] = [];
afterAll(async () => {
  for (const stop of stops) await stop();
});

/** Two servers and a balancer. */
async function cluster(backplane: string) {
  const servers = [];
  for (const name of ["s1", "s2"]) {
    const flags = ["--port", "0", "--name", name, "--data", join(await lab.folder(), backplane.slice(0, 5))];
    servers.push(await lab.start("server", ...flags, "--backplane", backplane));
  }
  const addresses = await Promise.all(servers.map(async (one) => (await one.ready())["listen"] ?? ""));
  const data = join(await lab.folder(), backplane.slice(0, 5));
  const flags = ["--backends", addresses.join(","), "--port", "0", "--no-admin", "--data", data];
  const balancer = await lab.start("balancer", ...flags);
  return { servers, door: (await balancer.ready())["listen"] ?? "" };
}

/**
 * Resolves when the cluster lists so many in the lobby. Who ends is listed until its server has heard of it, and if that is
 * killed first, for as long as it might come back: ten seconds.
 */
async function listed(door: string, wanted: number): Promise<void> {
  const [host = "", port = ""] = door.split(":");
  const socket = connect(Number(port), host);
  let heard = "";
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
  const say = (request: object): void => void socket.write(`${JSON.stringify(request)}\n`);
  say({ type: "hello", version: 1, nick: "looker", bot: true });
  let answers = 0;
  await eventually(
    async () => {
      say({ type: "rooms" });
      answers += 1;
      await eventually(
        () => heard.split('"type":"rooms"').length > answers,
        () => `an answer: ${heard}`,
      );
      return heard.slice(heard.lastIndexOf('"type":"rooms"')).includes(`"room":"lobby","members":${wanted}`);
    },
    () => `${wanted} in the lobby: ${heard}`,
  );
  socket.destroy();
}

async function talk(backplane: string): Promise<void> {
  const { servers, door } = await cluster(backplane);
  const env = { TZ: "UTC", LC_ALL: "C.UTF-8", XDG_STATE_HOME: join(await lab.folder(), "ana", backplane) };
  const ana = await lab.terminalWith({ env }, size, "client", "--connect", door, "--nick", "ana");
  await ana.see(/1 person[^]*● /);
  const follower = await lab.start("tail", "--connect", door, "--nick", "reader", "--follow", "--json");
  await ana.see(/reader \(bot\)/);
  expect(await lab.run("send", "--connect", door, "--nick", "cron", "backup done")).toMatchObject({
    code: 0,
  });
  await ana.see(/cron: backup done/);
  expect(await lab.run("export", "--connect", door, "--nick", "keeper")).toMatchObject({ code: 0 });
  await follower.line(/backup done/);
  await listed(door, 2);

  // Of two servers each has one of the two who stay: whichever is killed, one of them is moved.
  await servers[0]?.stop("SIGKILL");
  ana.type("still here?\r");
  await follower.line(/still here/);
  ana.type("/names\r");
  await ana.see(/2 people in lobby:[^]*ana, reader \(bot\)/);
  expect(ana.screen()).not.toMatch(/(reader|cron|keeper) (joined|left)/);
  follower.kill("SIGTERM");
  ana.press("ctrl-d");
}

test("on one machine", () => talk("keeper"));

test.skipIf(redis === undefined)("over Redis", async () => {
  const server = await new RedisServer(redis ?? "").start();
  stops.push(() => server.remove());
  await talk(`redis://127.0.0.1:${server.port}`);
});
