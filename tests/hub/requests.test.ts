/** Every request of a client, answered to the letter. */
import { describe, expect, test } from "bun:test";
import { World } from "./support/world.ts";

const hello = { type: "hello", version: 1, nick: "ana" };
const token = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/;

describe("hello", () => {
  test("is answered with welcome, and what follows in the same chunk works in order", () => {
    const world = new World();
    const site = world.site();
    const client = site.edge.open();
    client.say(hello, { type: "join", room: "lobby" }, { type: "send", room: "lobby", text: "hi" });
    expect(client.lines()).toEqual([]);
    world.settle();
    const [welcome, ...others] = client.lines();
    const { session, resume } = JSON.parse(welcome ?? "") as { session: string; resume: string };
    expect(session).toMatch(/^[0-9a-z]{20}$/);
    expect(resume).toMatch(token);
    expect(welcome).toBe(
      `{"type":"welcome","version":1,"server":"s1","cluster":"test","session":"${session}","nick":"ana",` +
        `"resume":"${resume}","resumed":false,"inbox":{"epoch":"e1","seq":0}}`,
    );
    expect(others).toEqual([
      '{"type":"joined","room":"lobby","epoch":"e1","seq":0,"members":["ana"],"memberCount":1,"topic":"","recovered":true,"messages":[]}',
      '{"type":"message","seq":1,"at":1000000,"room":"lobby","from":"ana","text":"hi"}',
      '{"type":"ack","room":"lobby","seq":1,"at":1000000}',
    ]);
    expect(client.done).toBe(3);
    expect(world.logged).toEqual([]);
  });

  test("comes first", () => {
    const world = new World();
    const client = world.site().edge.open();
    client.say({ type: "join", id: "j", room: "lobby" }, { type: "ping", id: "p" }, "");
    expect(client.lines()).toEqual([
      '{"type":"error","id":"j","code":"hello-first","message":"join before hello; send hello first"}',
      '{"type":"pong","id":"p"}',
    ]);
    expect(client.done).toBe(3);
  });

  test("comes once", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana");
    expect(world.ask(ana, { ...hello, id: "again" })).toEqual([
      {
        type: "error",
        id: "again",
        code: "already-hello",
        message: "this connection is ana; use nick to change that",
      },
    ]);
  });

  test("of another version is refused by name, and closes", () => {
    const world = new World();
    const client = world.site().edge.open();
    client.say({ ...hello, version: 2 }, { type: "ping" });
    expect(client.lines()).toEqual([
      '{"type":"error","code":"version-mismatch","message":"the client speaks version 2 and this server 1; use a client of that version"}',
    ]);
    expect(client.closed).toBe("version-mismatch");
  });

  test("may be tried again with another nick", () => {
    const world = new World();
    const site = world.site();
    world.person(site, "ana");
    const second = world.site().edge.open();
    const heard = world.ask(
      second,
      { ...hello, nick: "ANA", id: "1" },
      { ...hello, nick: "no nick" },
      { ...hello, nick: "eva" },
    );
    expect(heard).toMatchObject([
      { type: "error", id: "1", code: "nick-taken" },
      { type: "error", code: "bad-nick" },
      { type: "welcome", nick: "eva" },
    ]);
  });

  test("that never comes closes the connection", () => {
    const world = new World({ helloMs: 10_000 });
    const client = world.site().edge.open();
    client.say("nonsense");
    world.clock.advance(9_999);
    expect(client.closed).toBeUndefined();
    world.clock.advance(1);
    expect(client.heard()).toMatchObject([
      { code: "bad-json" },
      { code: "hello-timeout", message: "no hello within 10 s; send one as the first line" },
    ]);
    expect(client.closed).toBe("hello-timeout");
  });
});
