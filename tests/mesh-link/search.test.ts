// A peer finds what was said in its own log, as a server does in its.
import { afterEach, expect, test } from "bun:test";
import { MeshRooms } from "../../src/modes/peer/rooms.ts";
import { searchLog } from "../../src/modes/peer/search.ts";
import type { Found } from "../../src/protocol/messages.ts";
import { english } from "../../src/tui/language/english.ts";
import { startPeer } from "./peers.ts";
import { Cleanup } from "./support.ts";

/** Lines that one request looks through. */
const PART = 130;

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

test("words, accents and authors are found, the newest last, and asked for part by part", async () => {
  const ana = await startPeer(cleanup, { nick: "ana" });
  ana.say("Caf\u00e9 at noon");
  for (let line = 1; line < PART + 20; line += 1) ana.say(`hay ${line}`);
  ana.say("the deployment is done");
  const rooms = new MeshRooms(ana.node, "ana", english.peers, () => undefined);
  rooms.join("lobby", 0);
  const ask = (words: string, more: object = {}): Found => {
    const request = { type: "search", room: "lobby", words, ...more } as const;
    return searchLog({ node: ana.node, rooms }, request, "1", PART);
  };
  const texts = ({ messages }: Found) => messages.map(({ text }) => text);

  expect(texts(ask("DEPLOY"))).toEqual(["the deployment is done"]);
  expect(ask("deploy", { from: "ANA" }).messages[0]).toMatchObject({ from: "ana", room: "lobby" });
  expect(ask("deploy", { from: "ben" }).messages).toEqual([]);
  // The first line is beyond what one request looks through.
  const first = ask("cafe");
  expect(first).toMatchObject({ messages: [], looked: PART, more: true });
  const second = ask("cafe", { before: first.next });
  expect(second).toMatchObject({ more: false });
  expect(texts(second)).toEqual(["Caf\u00e9 at noon"]);
  expect(second.messages[0]?.seq).toBe(1);

  // No more than asked for, and nothing between two parts is left out.
  const seen: string[] = [];
  let before: number | undefined;
  for (let parts = 0; parts < 10; parts += 1) {
    const part = ask("hay 12", { limit: 3, ...(before === undefined ? {} : { before }) });
    seen.unshift(...texts(part));
    if (!part.more) break;
    before = part.next;
    if (parts === 0) expect(part.messages).toHaveLength(3);
  }
  expect(seen.slice(-3)).toEqual(["hay 127", "hay 128", "hay 129"]);
  expect(new Set(seen).size).toBe(seen.length);
});
