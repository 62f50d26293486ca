/** Whose a name is on a direct path: the server's word for it counts as little later as at the first time. */
import { afterEach, expect, test } from "bun:test";
import type { ClientEvent } from "../../src/client/events.ts";
import type { PathsOptions } from "../../src/modes/client/direct/options.ts";
import { openParts } from "../../src/modes/client/direct/parts.ts";
import { DirectPaths } from "../../src/modes/client/direct/paths.ts";
import { peerIdOf } from "../../src/identity/peer-id.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { english } from "../../src/tui/language/english.ts";
import { Cleanup, until } from "../mesh-link/support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const bobKey = peerIdOf(new Uint8Array(32).fill(1));
const malKey = peerIdOf(new Uint8Array(32).fill(2));

/** Ann's client, and a server that says what the test wants. */
async function ann() {
  const parts = await openParts(cleanup.directory(), cleanup.directory());
  const events: ClientEvent[] = [];
  const server = { scopes: ["here", "at chat.example:5000"] };
  const session: PathsOptions["session"] = {
    nick: "ann",
    online: true,
    request: (request, done) => {
      const nick = "to" in request ? request.to : "";
      queueMicrotask(() => done?.({ ok: true, message: { type: "introduce", nick, pair: `pair-${nick}` } }));
      return { ok: true, id: "1" };
    },
    relay: () => false,
  };
  const paths = new DirectPaths({
    session,
    clock: systemClock,
    words: english,
    isHidden: true,
    load: () => Promise.resolve(parts),
    scopes: () => server.scopes,
    nextSeq: () => 1,
    emit: (event) => events.push(event),
    transfer() {},
  });
  cleanup.add(() => paths.stop());
  const states = () =>
    events.flatMap((event) => {
      if (event.kind !== "unknown") return [];
      const { nick, state } = event.object as { nick?: string; state?: string };
      return [`${nick} ${state}`];
    });
  /** Agrees on a path with somebody, whom the server gives this key. */
  const meet = async (nick: string, key: string): Promise<void> => {
    await paths.ask(nick, () => {});
    await until(() => paths.find(nick)?.pair !== undefined, "the server's answer");
    paths.introduced({ type: "introduction", pair: `pair-${nick}`, nick, key, pass: "pass" });
  };
  return { paths, parts, states, meet, server };
}

test("one who takes the name of somebody whose key is known is not shown under it", async () => {
  const { paths, parts, states, meet } = await ann();
  parts.device.known.vouch("here", "bob", bobKey, 1);
  await meet("mal", malKey);
  expect(paths.find("mal")?.path).toBeDefined();
  paths.renamed("mal", "bob");
  expect(states().at(-1)).toBe("bob key-changed");
  expect(paths.find("bob")).toBeUndefined();
  expect(paths.send("bob", "1", "for bob alone", undefined)).toBeUndefined();
});

test("nor when the name comes with an introduction; another name of their own they may take", async () => {
  const { paths, parts, states, meet } = await ann();
  parts.device.known.vouch("here", "bob", bobKey, 1);
  await meet("mal", malKey);
  paths.renamed("mal", "mallory");
  expect(states().at(-1)).toBe("mallory renamed");
  expect(paths.find("mallory")?.path).toBeDefined();
  paths.introduced({ type: "introduction", pair: "pair-mal", nick: "bob", key: malKey, pass: "pass" });
  expect(states().at(-1)).toBe("bob key-changed");
  expect(paths.find("bob")).toBeUndefined();
});

test("a server that calls itself otherwise is still the server at that address", async () => {
  const { paths, states, meet, server } = await ann();
  await meet("bob", bobKey);
  expect(paths.find("bob")?.path).toBeDefined();
  paths.off(paths.find("bob")!);
  server.scopes = ["elsewhere", "at chat.example:5000"];
  await meet("bob", malKey);
  expect(states().at(-1)).toBe("bob key-changed");
  // Another address of the same cluster is no other server either.
  server.scopes = ["here", "at other.example:5000"];
  await meet("bob", malKey);
  expect(states().at(-1)).toBe("bob key-changed");
  expect(await paths.forget("bob")).toBe(true);
  await meet("bob", malKey);
  expect(paths.find("bob")?.path).toBeDefined();
});
