/**
 * Promise 4 of the design, seen from the client, under seeded chaos: connections refused, cut and silent at random while
 * messages are sent and arrive. At the end everything sent is acknowledged and in the log exactly once, and the client
 * was given the log, the whole log and nothing but the log, in order. A failing seed is in the test's name.
 */
import { expect, test } from "bun:test";
import { Client } from "../../src/client/client.ts";
import { parseAddressList } from "../../src/protocol/address.ts";
import { seededRandom } from "../../src/protocol/clock.ts";
import type { Message } from "../../src/protocol/messages.ts";
import { FakeServer } from "./fake-server.ts";
import { SimClock } from "./sim-clock.ts";
import { SimNetwork } from "./sim-network.ts";

const first = Number(process.env["RTCHAT_SEED"] ?? 1);
const seeds = Array.from({ length: 200 }, (_, index) => first + index);

function simulate(seed: number) {
  const random = seededRandom(seed);
  const clock = new SimClock();
  const server = new FakeServer();
  const network = new SimNetwork(
    clock,
    random,
    new Map([
      ["h1:1", server],
      ["h2:2", server],
    ]),
  );
  network.refused = 0.3;
  let ids = 0;
  const client = new Client({
    addresses: parseAddressList("h1:1,h2:2,h3:3"),
    nick: "ana",
    client: "test",
    dial: network.dial,
    clock,
    random,
    newId: () => `id${(ids += 1)}`,
  });
  const rooms = ["red", "blue"];
  const seen = new Map<string, number[]>();
  const acked = new Map<string, number>();
  const trouble: string[] = [];
  const see = (message: Message) => {
    const list = seen.get(message.room) ?? [];
    seen.set(message.room, list);
    list.push(message.seq);
  };
  client.on((event) => {
    if (event.kind === "gap") trouble.push(`gap ${JSON.stringify(event.gap)}`);
    if (event.kind === "sent") {
      if (!event.outcome.ok) trouble.push(`failed ${event.outcome.code}`);
      else if (acked.has(event.outcome.id)) trouble.push(`two outcomes for ${event.outcome.id}`);
      else acked.set(event.outcome.id, event.outcome.seq);
    }
    if (event.kind !== "received") return;
    if (event.message.type === "message") see(event.message);
    if (event.message.type === "joined") for (const message of event.message.messages) see(message);
  });
  for (const room of rooms) client.session.join(room);
  client.connect();
  const sent: string[] = [];
  for (let step = 0; step < 300; step += 1) {
    const dice = random();
    const room = rooms[Math.floor(random() * rooms.length)]!;
    if (dice < 0.3) {
      const taken = client.session.send(room, `mine ${step}`);
      if (taken.ok) sent.push(taken.id);
    } else if (dice < 0.5) server.post(room, "bob", `theirs ${step}`);
    else if (dice < 0.55) server.postDirect("ana", "bob", `direct ${step}`);
    else if (dice < 0.6) for (const link of network.links) link.cut("connection reset");
    else if (dice < 0.61) for (const link of network.links) link.silent = true;
    clock.advance(Math.floor(random() * 40));
  }
  network.refused = 0;
  const quiet = () => client.session.unacknowledged === 0 && client.session.online;
  if (!clock.until(quiet, 300_000, 100)) trouble.push("never quiet");
  clock.advance(1_000);
  return { server, sent, acked, seen, trouble, rooms };
}

test.each(seeds)("seed %d: nothing lost, nothing twice, nothing out of order", (seed) => {
  const { server, sent, acked, seen, trouble, rooms } = simulate(seed);
  expect(trouble).toEqual([]);
  expect([...acked.keys()].sort()).toEqual(sent.sort());
  for (const room of rooms) {
    const log = server.log(room);
    const mine = log.filter(({ from }) => from === "ana");
    expect(new Set(mine.map(({ id }) => id)).size).toBe(mine.length);
    expect(mine.map(({ text }) => Number(text.slice(5)))).toEqual(
      mine.map(({ text }) => Number(text.slice(5))).sort((a, b) => a - b),
    );
    // The first join brings at most 50 messages of history; everything from there on must be there.
    const from = seen.get(room)?.[0] ?? 1;
    expect(seen.get(room) ?? []).toEqual(log.filter(({ seq }) => seq >= from).map(({ seq }) => seq));
    for (const { id, seq } of mine) expect(acked.get(id!)).toBe(seq);
  }
  const direct = seen.get("@bob") ?? [];
  expect(direct).toEqual(direct.map((_, index) => (direct[0] ?? 1) + index));
});
