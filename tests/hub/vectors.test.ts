/** The vectors that other implementations can use hold for ours. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { makeToken, readToken } from "../../src/hub/token.ts";
import type { TestClient } from "./support/edge.ts";
import { World } from "./support/world.ts";

function read(name: string): unknown[] {
  const [about, ...lines] = readFileSync(join(import.meta.dir, "../vectors", name), "utf8")
    .trim()
    .split("\n");
  expect(JSON.parse(about ?? "")).toHaveProperty("about");
  return lines.map((line): unknown => JSON.parse(line));
}

const message = z.record(z.string(), z.unknown());
const conversation = z.object({
  name: z.string(),
  steps: z.array(
    z.union([
      z.strictObject({ who: z.string(), says: z.union([z.string(), message]) }),
      z.strictObject({ who: z.string(), hears: message }),
      z.strictObject({ who: z.string(), closed: z.literal(true) }),
    ]),
  ),
});

describe("a conversation", () => {
  const conversations = z.array(conversation).parse(read("conversations.jsonl"));
  for (const { name, steps } of conversations) {
    test(name, () => {
      const world = new World();
      const site = world.site();
      const clients = new Map<string, { readonly client: TestClient; readonly heard: unknown[] }>();
      for (const step of steps) {
        const known = clients.get(step.who) ?? { client: site.edge.open(), heard: [] };
        clients.set(step.who, known);
        const { client, heard } = known;
        if ("says" in step) client.say(step.says);
        world.settle();
        heard.push(...client.heard());
        if ("hears" in step) expect(heard.shift()).toMatchObject(step.hears);
        if ("closed" in step) expect(client.closed).toBeDefined();
      }
      for (const [who, { heard, client }] of clients) {
        expect([who, ...heard, ...client.heard()]).toEqual([who]);
      }
    });
  }

  test("there is at least one of them for every message a server answers with", () => {
    const heard = new Set<unknown>();
    for (const { steps } of conversations)
      for (const step of steps) if ("hears" in step) heard.add(step.hears["type"]);
    for (const type of [
      "welcome",
      "joined",
      "left",
      "message",
      "ack",
      "presence",
      "history",
      "topic",
      "nick",
    ]) {
      expect(heard).toContain(type);
    }
  });
});

test("resume tokens are what they are on every server", () => {
  const claims = z.object({
    session: z.string(),
    nick: z.string(),
    madeAt: z.number(),
    helloLine: z.number(),
  });
  const vector = z.strictObject({ secret: z.string(), token: z.string(), claims: claims.optional() });
  const vectors = z.array(vector).min(8).parse(read("resume-tokens.jsonl"));
  for (const { secret, token, claims: expected } of vectors) {
    const key = Buffer.from(secret, "hex");
    expect(readToken(key, token)).toEqual(expected);
    if (expected !== undefined) expect(makeToken(key, expected)).toBe(token);
  }
});
