/** The npm client wraps commands for those who trace them; with nobody there it must not. */
import { expect, test } from "bun:test";
import { tracingChannel } from "node:diagnostics_channel";
import { sayWhoTraces } from "../../src/backplane/redis/tracing.ts";

test("a tracing channel says whether anybody listens to any of its parts", () => {
  sayWhoTraces();
  const channel = tracingChannel<object, object>("rtchat-test");
  expect(Reflect.get(channel, "hasSubscribers")).toBe(false);
  const heard: unknown[] = [];
  const listen = (message: unknown): void => void heard.push(message);
  channel.asyncEnd.subscribe(listen);
  expect(Reflect.get(channel, "hasSubscribers")).toBe(true);
  channel.asyncEnd.unsubscribe(listen);
  expect(Reflect.get(channel, "hasSubscribers")).toBe(false);
  channel.traceSync(() => {}, {});
  expect(heard).toEqual([]);
});
