// A disk that cannot be read any more: what is asked of it is answered so, and the chat goes on.
import { afterEach, expect, test } from "bun:test";
import type { Answer } from "../../src/tui/backend.ts";
import { StoreError } from "../../src/mesh/core/store-error.ts";
import { MeshBackend } from "../../src/modes/peer/backend.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { english } from "../../src/tui/language/english.ts";
import { startPeer } from "./peers.ts";
import { Cleanup, until } from "./support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

test("history that cannot be read is refused with the reason, and rooms are joined without it", async () => {
  const ana = await startPeer(cleanup, { nick: "ana" });
  ana.say("written before");
  ana.node.core.timeline = () => {
    throw new StoreError("cannot read the log: input/output error");
  };
  const backend = new MeshBackend({
    node: ana.node,
    clock: systemClock,
    nick: "ana",
    seeking: undefined,
    untilHeld: false,
    defaultPort: 5_002,
    words: english,
  });
  const told: string[] = [];
  backend.on((event) => {
    if (event.kind === "told") told.push(...event.lines);
  });
  expect(backend.join("lobby").name).toBe("lobby");
  expect(told).toEqual([expect.stringContaining("input/output error")]);
  let answer: Answer | undefined;
  backend.request({ type: "history", room: "lobby" }, (given) => (answer = given));
  await until(() => answer !== undefined, "the answer");
  expect(answer).toMatchObject({ ok: false, code: "store-failed" });
  expect(backend.send("lobby", "and on").ok).toBe(true);
});
