/** `--rate-messages` with real processes: clients slow down by themselves, others are told, nobody loses anything. */
import { expect, test } from "bun:test";
import { openLab } from "../support/lab.ts";

const lab = openLab();

test("a client that is faster than it may be sends everything, once, in the time that it takes", async () => {
  const server = await lab.start(
    "server",
    "--port",
    "0",
    "--backplane",
    "memory",
    "--rate-messages",
    "20",
    "--burst-messages",
    "10",
  );
  const { listen = "" } = await server.ready();
  const texts = Array.from({ length: 40 }, (_, index) => `line ${index}`);
  const started = performance.now();
  const client = await lab.startWith(
    { input: `${texts.join("\n")}\n` },
    "client",
    "--connect",
    listen,
    "--nick",
    "bot",
    "--room",
    "lobby",
  );
  expect(await client.ended()).toMatchObject({ code: 0, stderr: "" });
  // Ten at once, thirty at twenty a second.
  expect(performance.now() - started).toBeGreaterThan(1_400);
  const { stdout } = await lab.run(
    "tail",
    "--connect",
    listen,
    "--room",
    "lobby",
    "--lines",
    "100",
    "--json",
  );
  const heard = stdout.split("\n").slice(0, -1);
  const order = heard.map((line) => texts.indexOf((JSON.parse(line) as { text: string }).text));
  // What was on the wire together with one that was refused may be taken before it is repeated (client/sends.ts), if the
  // server is so slow that it may take one again before it has read all of them.
  expect(order.slice(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(order.toSorted((a, b) => a - b)).toEqual(texts.map((_, index) => index));
});

test("up hands the limit on to its servers", async () => {
  const cluster = await lab.start(
    "up",
    "--servers",
    "1",
    "--port",
    "0",
    "--no-admin",
    "--rate-messages",
    "1",
    "--burst-messages",
    "1",
  );
  const { listen = "" } = await cluster.ready();
  const [host = "", port = ""] = listen.split(":");
  let text = "";
  const socket = await Bun.connect({
    hostname: host,
    port: Number(port),
    socket: { data: (_, chunk) => void (text += chunk.toString()) },
  });
  const lines = [
    { type: "hello", version: 1, nick: "fast" },
    { type: "join", room: "lobby" },
    ...["a", "b"].map((id) => ({ type: "send", room: "lobby", id, text: id })),
  ];
  socket.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const error = /\{"type":"error","id":"b","code":"rate-limited".*"afterMs":\d+\}/;
  for (let tries = 0; tries < 100 && !error.test(text); tries += 1) await Bun.sleep(50);
  expect(text).toMatch(error);
  socket.end();
  expect((await cluster.stop("SIGINT")).code).toBe(0);
});

test("a rate that is none is refused by name", async () => {
  const { code, stderr } = await lab.run("server", "--rate-messages", "0");
  expect(code).toBe(2);
  expect(stderr).toContain("--rate-messages");
  expect(stderr).toContain("not a whole number from 1 to");
});
