import { afterEach, describe, expect, test } from "bun:test";
import { Bare, until } from "../net/helpers.ts";
import { edgeWithHub, FakeHub } from "./fake-hub.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function started(...options: Parameters<typeof edgeWithHub>) {
  const parts = edgeWithHub(...options);
  cleanups.push(parts.stop);
  return {
    ...parts,
    connect: async () => {
      const bare = await Bare.to(parts.at);
      cleanups.push(() => bare.open.terminate());
      return bare;
    },
  };
}

describe("a client", () => {
  test("gets its lines answered, in order, however they are cut", async () => {
    const { connect, hub } = await started();
    const bare = await connect();
    for (const part of ["on", "e\ntwo\nth", "ree", "\n"]) {
      bare.open.write(part);
      bare.open.flush();
      await Bun.sleep(2);
    }
    await until(() => bare.text === "one\ntwo\nthree\n");
    expect(hub.last.origin.edge).toBe("edge-1");
    expect(hub.last.origin.address).toBe(`127.0.0.1:${bare.open.localPort}`);
    expect(hub.last.lines).toEqual(["one", "two", "three"]);
  });

  test("that ends its side gets the rest of its answers, and then the end", async () => {
    const { connect, hub } = await started();
    const late: (() => void)[] = [];
    hub.onLine = (session, line, number) => void late.push(() => hub.say(session, line, number));
    const bare = await connect();
    bare.open.write("one\ntwo\nno newline");
    bare.open.shutdown();
    await until(() => late.length === 2);
    expect(hub.last.closed).toBeUndefined();
    for (const answer of late) answer();
    await until(() => bare.events.includes("close"));
    expect(bare.text).toBe("one\ntwo\n");
    expect(hub.last.closed).toBe("ended");
  });

  test("may hear the hub first", async () => {
    const hub = new FakeHub();
    hub.onOpen = (session) => hub.say(session, "hello from the hub", 0);
    hub.onLine = () => {};
    const { connect } = await started({}, hub);
    const bare = await connect();
    bare.open.write("x\n");
    await until(() => bare.text === "hello from the hub\n");
  });
});
