import { expect, test } from "bun:test";
import { afterEachTurn, atEndOfTurn, flushSoFar } from "../../src/net/turn.ts";

const heard: string[] = [];
const say = (word: string, then: () => void = () => {}) => ({
  flush() {
    heard.push(word);
    then();
  },
});
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test("work is flushed once: at the end of the turn, or before if a chunk has brought enough", async () => {
  heard.length = 0;
  afterEachTurn(() => heard.push("forget"));
  atEndOfTurn(say("a"));
  atEndOfTurn(
    say("b", () => {
      // What flushing schedules comes in the same go; flushing within flushing changes nothing about the order.
      atEndOfTurn(say("c"));
      flushSoFar();
    }),
  );
  atEndOfTurn(say("d"));
  flushSoFar();
  expect(heard).toEqual(["a", "b", "d", "c", "forget"]);
  flushSoFar();
  atEndOfTurn(say("e"));
  expect(heard).toHaveLength(5);
  await turn();
  expect(heard.slice(5)).toEqual(["e", "forget"]);
  atEndOfTurn(say("f"));
  await turn();
  expect(heard.slice(7)).toEqual(["f", "forget"]);
});
