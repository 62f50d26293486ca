/** One person at two screens, on two servers of one cluster: what is read on one is read on both. */
import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { openLab } from "../support/lab.ts";

const lab = openLab();
const small = { columns: 80, rows: 24 };
let addresses: string[] = [];

beforeAll(async () => {
  const data = join(await lab.folder(), "cluster");
  const servers = [];
  for (let n = 0; n < 2; n += 1) servers.push(await lab.start("server", "--port", "0", "--data", data));
  addresses = await Promise.all(servers.map(async (one) => (await one.ready())["listen"] ?? ""));
});

async function open(nick: string, server: number, size = small) {
  const env = { TZ: "UTC", LC_ALL: "C.UTF-8", XDG_STATE_HOME: join(await lab.folder(), nick) };
  const screen = await lab.terminalWith(
    { env },
    size,
    "client",
    "--connect",
    addresses[server] ?? "",
    "--nick",
    nick,
  );
  await screen.see(/[1-9]\d* (person|people)[^]*● /);
  return screen;
}

test("a second device is told with a code, and then counts and dividers agree", async () => {
  const desk = await open("desk", 0, { columns: 160, rows: 50 });
  const phone = await open("phone", 1);
  const bob = await open("bob", 1);
  desk.type("/device\r");
  const shown = await desk.see(/\/device rtdevice1-\S+/);
  const [code = ""] = /\/device rtdevice1-\S+/.exec(shown) ?? [];
  phone.type("/device rtdevice1-wrong\r");
  await phone.see(/that is no device code/);
  phone.type(`${code}\r`);
  await phone.see(/this device is yours like the other/);
  for (const screen of [desk, phone]) {
    screen.type("/join ops\r");
    await screen.see(/^ ops {2}no topic/);
    screen.type("/join lobby\r");
    await screen.see(/^ lobby {2}no topic/);
  }
  bob.type("/join ops\r");
  await bob.see(/^ ops {2}no topic +3 people/);
  bob.type("the build is red\r");
  await desk.see(/ops 1/);
  await phone.see(/ops 1/);
  // Read on the desk: nothing is left to read on the phone.
  desk.type("/join ops\r");
  await desk.see(/bob: the build is red/);
  await phone.see((text) => !/ops 1/.test(text) && /ops/.test(text));
  bob.type("the build is green\r");
  await desk.see(/the build is green/);
  desk.type("/join lobby\r");
  // The desk's server has the message, and so what the desk told before it.
  desk.type("back in the lobby\r");
  await desk.see(/\d\d:\d\d desk: back in the lobby/);
  // The phone is put away; what comes then is new on it.
  phone.press("ctrl-d");
  expect(await phone.ended()).toBe(0);
  bob.type("the build is blue\r");
  await desk.see(/ops 1/);
  const again = await open("phone", 0);
  again.type("/join ops\r");
  await again.see(/bob: the build is green\n[^\n]*new from here[^\n]*\n\d\d:\d\d bob: the build is blue/);
});
