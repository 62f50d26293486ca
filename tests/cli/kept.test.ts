/** What a server keeps, as its flags say: done, or refused by name. */
import { describe, expect, test } from "bun:test";
import { openLab } from "../support/lab.ts";

const lab = openLab();

test("a server in memory keeps as many messages of a room as it was told to", async () => {
  const flags = ["--port", "0", "--backplane", "memory", "--keep-messages", "3"];
  const server = await lab.start("server", ...flags);
  const { listen = "" } = await server.ready();
  const texts = Array.from({ length: 10 }, (_, index) => `line ${index}`);
  const people = ["--connect", listen, "--room", "lobby"];
  const sent = await lab.startWith({ input: `${texts.join("\n")}\n` }, "client", ...people, "--nick", "bot");
  expect(await sent.ended()).toMatchObject({ code: 0, stderr: "" });
  const { stdout } = await lab.run("tail", ...people, "--lines", "100", "--json");
  const heard = stdout.trim().split("\n");
  expect(heard.map((line) => (JSON.parse(line) as { text: string }).text)).toEqual(texts.slice(-3));
});

describe("a flag that would have no effect is refused, with what to do:", () => {
  for (const [flags, message, hint] of [
    ["--backplane memory --durability power", "which has nothing on a disk", "--backplane keeper"],
    ["--backplane memory --keep-days 2", "--keep-days 2", "--keep-messages"],
    ["--backplane redis://127.0.0.1:1 --durability power", "in Redis", "appendfsync"],
  ] as const) {
    test(flags, async () => {
      const { code, stderr } = await lab.run("server", "--port", "0", ...flags.split(" "));
      expect(code).toBe(2);
      expect(stderr).toContain(message);
      expect(stderr).toContain(hint);
    });
  }
});
