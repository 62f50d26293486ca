/** The client over real TCP: what only a real kernel does. */
import { afterEach, expect, test } from "bun:test";
import { Client } from "../../src/client/client.ts";
import type { ClientEvent } from "../../src/client/events.ts";
import { netDial } from "../../src/client/net-dial.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { FakeServer } from "./fake-server.ts";
import { listenFake } from "./fake-listener.ts";
import type { Listening } from "./fake-listener.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A listener that goes away with the test. */
function listen(server: FakeServer): Listening {
  const listening = listenFake(server);
  cleanups.push(() => listening.stop());
  return listening;
}

function start(ports: readonly number[]) {
  const events: ClientEvent[] = [];
  const waiting = new Set<() => void>();
  const client = new Client({
    addresses: ports.map((port) => ({ host: "127.0.0.1", port })),
    nick: "ana",
    client: "test",
    dial: netDial(systemClock),
    clock: systemClock,
    // No jitter: these tests are about sockets.
    random: () => 0.01,
    newId: () => crypto.randomUUID(),
  });
  client.on((event) => {
    events.push(event);
    for (const look of waiting) look();
  });
  cleanups.push(() => client.close());
  /** Resolves with the first event, past ones included, that fits. */
  const until = <T>(pick: (event: ClientEvent) => T | undefined | false): Promise<T> =>
    new Promise((resolve) => {
      const look = () => {
        for (const event of events) {
          const found = pick(event);
          if (found === undefined || found === false) continue;
          waiting.delete(look);
          resolve(found);
          return;
        }
      };
      waiting.add(look);
      look();
    });
  return { client, events, until };
}

const online = (event: ClientEvent) =>
  event.kind === "connection" && event.connection.state === "online" && event.connection;
const acked = (event: ClientEvent) => event.kind === "sent" && event.outcome.ok && event.outcome;
const waitingFor = (event: ClientEvent) =>
  event.kind === "connection" && event.connection.state === "waiting" && event.connection;

test("chats over a real connection", async () => {
  const server = new FakeServer();
  const { port } = listen(server);
  const { client, until } = start([port]);
  client.session.join("lobby");
  client.session.send("lobby", "ñandú 👋 ".repeat(500));
  client.connect();
  expect(await until(acked)).toMatchObject({ room: "lobby", seq: 1 });
  expect(server.log("lobby")[0]?.text).toBe("ñandú 👋 ".repeat(500));
});

test("says in one clause why nobody answers, and goes on to the next address at once", async () => {
  const nobody = listen(new FakeServer());
  nobody.stop();
  const { port } = listen(new FakeServer());
  const { client, events, until } = start([nobody.port, port]);
  client.connect();
  expect(await until(online)).toMatchObject({ address: `127.0.0.1:${port}` });
  expect(events.some((event) => waitingFor(event))).toBeFalse();
  client.close();

  const alone = start([nobody.port]);
  alone.client.connect();
  expect(await alone.until(waitingFor)).toMatchObject({
    address: `127.0.0.1:${nobody.port}`,
    reason: expect.stringContaining("ECONNREFUSED"),
    code: "ECONNREFUSED",
  });
});

test("comes back after a reset and after an orderly end, and loses nothing", async () => {
  const server = new FakeServer();
  const { port, sockets } = listen(server);
  const { client, events, until } = start([port]);
  client.session.join("lobby");
  client.connect();
  await until(online);
  const seen = () =>
    events.flatMap((event) => {
      if (event.kind !== "received") return [];
      if (event.message.type === "message") return [event.message.text];
      return event.message.type === "joined" ? event.message.messages.map(({ text }) => text) : [];
    });
  await until(() => client.session.rooms.get("lobby")?.state === "joined");
  for (const round of [1, 2, 3, 4]) {
    for (const socket of sockets) {
      if (round % 2 === 0) socket.terminate();
      else socket.end();
    }
    server.post("lobby", "bob", `during ${round}`);
    await until(() => seen().includes(`during ${round}`));
  }
  expect(seen()).toEqual(["during 1", "during 2", "during 3", "during 4"]);
  expect(server.history).toHaveLength(5);
});

test("a burst larger than any socket buffer arrives in order, once", async () => {
  const server = new FakeServer();
  const { port } = listen(server);
  const { client, events, until } = start([port]);
  client.session.join("lobby");
  client.connect();
  const count = 1_000;
  let refused = 0;
  for (let n = 0; n < count; n += 1) {
    if (!client.session.send("lobby", `${n} ${"x".repeat(1_500)}`).ok) refused += 1;
  }
  expect(refused).toBe(0);
  await until(() => client.session.unacknowledged === 0);
  expect(server.log("lobby").map(({ text }) => Number(text.split(" ")[0]))).toEqual(
    Array.from({ length: count }, (_, n) => n),
  );
  expect(events.filter((event) => acked(event))).toHaveLength(count);
});

test("says goodbye when it is closed", async () => {
  const server = new FakeServer();
  const { port } = listen(server);
  const { client, until } = start([port]);
  client.connect();
  await until(online);
  const gone = Promise.withResolvers<void>();
  server.intercept = (_, request) => {
    if (request.type === "bye") gone.resolve();
    return false;
  };
  client.close();
  await gone.promise;
  expect(client.connection).toMatchObject({ state: "closed", code: "closed" });
});
