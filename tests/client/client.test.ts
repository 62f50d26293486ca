/** The headless client against a scripted server over a simulated network: every promise of src/client, one at a time. */
import { describe, expect, test } from "bun:test";
import { Client } from "../../src/client/client.ts";
import type { ClientEvent, ConnectionState, SendOutcome } from "../../src/client/events.ts";
import { parseServerLine } from "../../src/client/inbound.ts";
import { parseAddress } from "../../src/protocol/address.ts";
import { seededRandom } from "../../src/protocol/clock.ts";
import { chatClientLimits } from "../../src/protocol/limits.client.ts";
import type { Message, ServerMessage } from "../../src/protocol/messages.ts";
import { FakeServer } from "./fake-server.ts";
import { SimClock } from "./sim-clock.ts";
import { SimNetwork } from "./sim-network.ts";

const A = "127.0.0.1:8001";
const B = "127.0.0.1:8002";

/** A client on its own little internet. */
function setUp(given?: Record<string, FakeServer>, addresses = [A]) {
  const servers = given ?? { [A]: new FakeServer() };
  const clock = new SimClock();
  const network = new SimNetwork(clock, seededRandom(7), new Map(Object.entries(servers)));
  const events: ClientEvent[] = [];
  let ids = 0;
  const client = new Client({
    addresses: addresses.map((address) => parseAddress(address)),
    nick: "ana",
    client: "test",
    dial: network.dial,
    clock,
    random: seededRandom(1),
    newId: () => `id${(ids += 1)}`,
  });
  client.on((event) => events.push(event));
  return { clock, network, client, events };
}

function states(events: readonly ClientEvent[]): ConnectionState["state"][] {
  return events.flatMap((event) => (event.kind === "connection" ? [event.connection.state] : []));
}
function outcomes(events: readonly ClientEvent[]): SendOutcome[] {
  return events.flatMap((event) => (event.kind === "sent" ? [event.outcome] : []));
}
function received<T extends ServerMessage["type"]>(
  events: readonly ClientEvent[],
  type: T,
): Extract<ServerMessage, { type: T }>[] {
  return events.flatMap((event) =>
    event.kind === "received" && event.message.type === type
      ? [event.message as Extract<ServerMessage, { type: T }>]
      : [],
  );
}
/** Texts of a room in the order given to the owner, from joins and live. */
function texts(events: readonly ClientEvent[], room = "lobby"): string[] {
  return events.flatMap((event) => {
    if (event.kind === "gap") return event.gap.room === room ? ["GAP"] : [];
    if (event.kind !== "received") return [];
    const messages: readonly Message[] =
      event.message.type === "joined"
        ? event.message.messages
        : event.message.type === "message"
          ? [event.message]
          : [];
    return messages.filter((one) => one.room === room).map((one) => one.text);
  });
}

describe("a client", () => {
  test("says hello, joins its rooms with history and hears what is said", () => {
    const server = new FakeServer();
    server.post("lobby", "bob", "before");
    const { client, clock, events } = setUp({ [A]: server });
    client.session.join("Lobby");
    client.connect();
    clock.advance(100);
    server.post("lobby", "bob", "after");
    clock.advance(100);
    expect(states(events)).toEqual(["connecting", "online"]);
    expect(texts(events)).toEqual(["before", "after"]);
    expect(client.session.rooms.get("lobby")?.position).toEqual({ epoch: "e1", seq: 2 });
    expect([...client.session.rooms.get("lobby")!.members.values()]).toEqual(["ana"]);
  });

  test("takes messages before it is connected and tells each one's outcome once", () => {
    const { client, clock, events } = setUp();
    client.session.join("lobby");
    expect(client.session.send("lobby", "one")).toMatchObject({ ok: true });
    client.connect();
    expect(client.session.send("lobby", "two")).toMatchObject({ ok: true });
    clock.advance(200);
    expect(texts(events)).toEqual(["one", "two"]);
    expect(outcomes(events)).toMatchObject([
      { ok: true, seq: 1, duplicate: false },
      { ok: true, seq: 2, duplicate: false },
    ]);
    expect(client.session.unacknowledged).toBe(0);
  });

  test("comes back after a cut, resumes the session, and gets exactly what it missed", () => {
    const server = new FakeServer();
    const { client, clock, network, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    server.post("lobby", "bob", "1");
    clock.advance(100);
    network.cutAll();
    server.post("lobby", "bob", "2");
    server.post("lobby", "bob", "3");
    clock.advance(2_000);
    server.post("lobby", "bob", "4");
    clock.advance(100);
    expect(texts(events)).toEqual(["1", "2", "3", "4"]);
    expect(states(events)).toEqual(["connecting", "online", "waiting", "connecting", "online"]);
    expect(received(events, "welcome").map(({ resumed }) => resumed)).toEqual([false, true]);
    const joins = server.history.flatMap((one) => one.received.filter(({ type }) => type === "join"));
    expect(joins).toMatchObject([{}, { since: { epoch: "e1", seq: 1 } }]);
  });

  test("repeats an unacknowledged message under its id, and it is logged once", () => {
    const server = new FakeServer();
    const { client, clock, network, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    client.session.send("lobby", "hi", "mine");
    // Long enough to arrive, too short for the answer.
    clock.advance(7);
    expect(server.log("lobby")).toHaveLength(1);
    network.cutAll();
    clock.advance(2_000);
    expect(server.log("lobby")).toHaveLength(1);
    expect(outcomes(events)).toMatchObject([{ ok: true, id: "mine", seq: 1, duplicate: true }]);
    expect(texts(events)).toEqual(["hi"]);
  });

  test("in another inbox says nothing about a message that was counted in the former one", () => {
    const server = new FakeServer();
    const { client, clock, network, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    const written: unknown[] = [];
    server.intercept = (_, request) => {
      if (request.type === "send") written.push(request.text);
      return false;
    };
    const about = { re: { kind: "reply", seq: 1 } } as const;
    network.cutAll();
    clock.advance(10);
    client.session.send("@ana", "to a direct message", "direct", about);
    client.session.send("@ana", "plain", "plain");
    client.session.send("lobby", "to a message of a room", "room", about);
    server.forgetful = true;
    clock.advance(2_000);
    expect(outcomes(events).filter(({ ok }) => !ok)).toMatchObject([
      { id: "direct", code: "no-such-message" },
    ]);
    expect(written).toEqual(expect.arrayContaining(["plain", "to a message of a room"]));
    expect(written).toHaveLength(2);
    // In the same inbox it is written when the connection is back.
    server.forgetful = false;
    network.cutAll();
    clock.advance(10);
    client.session.send("@ana", "later", "later", about);
    clock.advance(5_000);
    expect(written).toContain("later");
  });

  test("does not repeat a message when the session it was written in is lost, and says so", () => {
    const server = new FakeServer();
    const { client, clock, network, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    client.session.send("lobby", "written");
    clock.advance(7);
    network.cutAll();
    clock.advance(10);
    client.session.send("lobby", "not yet written");
    server.forgetful = true;
    clock.advance(2_000);
    expect(outcomes(events)).toMatchObject([
      { ok: false, code: "fate-unknown", text: "written" },
      { ok: true, seq: 2 },
    ]);
    expect(server.log("lobby").map(({ text }) => text)).toEqual(["written", "not yet written"]);
  });

  test("shows a gap where history is gone, before what follows", () => {
    const server = new FakeServer();
    const { client, clock, network, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    server.post("lobby", "bob", "1");
    clock.advance(100);
    network.cutAll();
    for (const text of ["2", "3", "4"]) server.post("lobby", "bob", text);
    server.firstKept = 4;
    clock.advance(2_000);
    expect(texts(events)).toEqual(["1", "GAP", "4"]);
    expect(events.find(({ kind }) => kind === "gap")).toEqual({
      kind: "gap",
      gap: { room: "lobby", after: 1, before: 4 },
    });
  });

  test("shows a gap when the log was started anew, and forgets the old position", () => {
    const old = new FakeServer("e1");
    const fresh = new FakeServer("e2");
    const { client, clock, network, events } = setUp({ [A]: old, [B]: fresh }, [A, B]);
    client.session.join("lobby");
    client.connect();
    clock.advance(50);
    for (const text of ["1", "2", "3"]) old.post("lobby", "bob", text);
    clock.advance(100);
    fresh.post("lobby", "eve", "new 1");
    network.cutAll();
    clock.advance(2_000);
    fresh.post("lobby", "eve", "new 2");
    clock.advance(100);
    expect(texts(events)).toEqual(["1", "2", "3", "GAP", "new 1", "new 2"]);
    expect(client.session.rooms.get("lobby")?.position).toEqual({ epoch: "e2", seq: 2 });
  });

  test("reports a hole in the live stream, and drops what it has seen", () => {
    const server = new FakeServer();
    const { client, clock, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    const say = (seq: number) =>
      [...server.connections][0]!.say({
        type: "message",
        room: "lobby",
        seq,
        from: "bob",
        at: 1,
        text: String(seq),
      });
    for (const seq of [1, 2, 2, 1, 5, 5, 6]) say(seq);
    clock.advance(100);
    expect(texts(events)).toEqual(["1", "2", "GAP", "5", "6"]);
  });

  test("catches up its direct messages after a cut", () => {
    const server = new FakeServer();
    const { client, clock, network, events } = setUp({ [A]: server });
    client.connect();
    clock.advance(100);
    server.postDirect("ana", "bob", "one");
    clock.advance(100);
    network.cutAll();
    server.postDirect("ana", "bob", "two");
    clock.advance(2_000);
    server.postDirect("ana", "bob", "three");
    clock.advance(100);
    expect(texts(events, "@bob")).toEqual(["one", "two", "three"]);
    client.session.send("@bob", "x");
    clock.advance(100);
    expect(outcomes(events)).toMatchObject([{ ok: false, code: "no-such-nick", room: "@bob" }]);
  });

  test("tries its addresses in turn at once, then waits a growing random time", () => {
    const { client, clock, events } = setUp({}, [A, B]);
    client.connect();
    clock.advance(120_000);
    const tried = events.flatMap((event) =>
      event.kind === "connection" && event.connection.state === "connecting"
        ? [event.connection.address]
        : [],
    );
    expect(tried.slice(0, 4)).toEqual([A, B, A, B]);
    const waits = events.flatMap((event) =>
      event.kind === "connection" && event.connection.state === "waiting" ? [event.connection.retryInMs] : [],
    );
    expect(waits.length).toBeGreaterThan(6);
    for (const [failures, wait] of waits.entries()) {
      expect(wait).toBeLessThanOrEqual(Math.min(30_000, 500 * 2 ** failures));
    }
    expect(Math.max(...waits)).toBeGreaterThan(5_000);
    expect(events).toContainEqual({
      kind: "connection",
      connection: expect.objectContaining({ state: "waiting", reason: "connection refused" }),
    });
  });

  test("goes to the next address when a server breaks", () => {
    const a = new FakeServer();
    const b = new FakeServer();
    const { client, clock, network, events } = setUp({ [A]: a, [B]: b }, [A, B]);
    client.connect();
    clock.advance(100);
    network.cutAll();
    clock.advance(2_000);
    const online = events.flatMap((event) =>
      event.kind === "connection" && event.connection.state === "online" ? [event.connection.address] : [],
    );
    expect(online).toEqual([A, B]);
  });

  test("leaves a connection that has gone silent, but not one that only has nothing to say", () => {
    const server = new FakeServer();
    const { client, clock, network, events } = setUp({ [A]: server });
    client.connect();
    clock.advance(600_000);
    expect(states(events)).toEqual(["connecting", "online"]);
    const pings = server.history[0]!.received.filter(({ type }) => type === "ping");
    expect(pings.length).toBeGreaterThan(20);
    for (const link of network.links) link.silent = true;
    expect(clock.until(() => client.connection.state === "waiting", 60_000)).toBeTrue();
    expect(client.connection).toMatchObject({ reason: expect.stringContaining("nothing heard for 3") });
    clock.advance(2_000);
    expect(client.connection.state).toBe("online");
  });

  test("replaces a server that goes away, not before the time it asked for, and loses nothing", () => {
    const server = new FakeServer();
    const { client, clock, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    [...server.connections][0]!.say({ type: "going-away", afterMs: 3_000, jitterMs: 2_000 });
    clock.advance(2_900);
    expect(client.connection.state).toBe("online");
    client.session.send("lobby", "still works");
    clock.advance(4_000);
    expect(client.connection.state).toBe("online");
    expect(server.history).toHaveLength(2);
    expect(texts(events)).toEqual(["still works"]);
  });

  test("waits for no server that goes away longer than any sensible one would ask for", () => {
    const server = new FakeServer();
    const { client, clock } = setUp({ [A]: server });
    client.connect();
    clock.advance(100);
    [...server.connections][0]!.say({ type: "going-away", afterMs: 1e300, jitterMs: 1e300 });
    clock.advance(chatClientLimits.goingAwayMostMs + 100);
    expect(server.history).toHaveLength(2);
  });

  test("asks whoever was silent while the machine slept before it gives the connection up", () => {
    const server = new FakeServer();
    const { client, clock, events } = setUp({ [A]: server });
    client.connect();
    clock.advance(100);
    const monotonic = clock.monotonic.bind(clock);
    clock.monotonic = () => monotonic() + 3_600_000;
    clock.advance(chatClientLimits.pingMs);
    expect(states(events)).toEqual(["connecting", "online"]);
    expect(server.history[0]!.received.at(-1)).toMatchObject({ type: "ping" });
  });

  test("waits longer and longer for a server that lets it in and breaks at once", () => {
    const server = new FakeServer();
    const { client, clock, network, events } = setUp({ [A]: server });
    client.connect();
    for (let cut = 0; cut < 12; cut += 1) {
      expect(clock.until(() => client.connection.state === "online", 60_000)).toBeTrue();
      network.cutAll();
      clock.advance(10);
    }
    const attempts = events.flatMap((event) =>
      event.kind === "connection" && event.connection.state === "waiting" ? [event.connection.attempt] : [],
    );
    expect(attempts).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  });

  test("fails what was on its way to a room that is left", () => {
    const server = new FakeServer();
    server.intercept = (_, request) => request.type === "send";
    const { client, clock, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    client.session.send("lobby", "one");
    clock.advance(100);
    client.session.leave("lobby");
    expect(outcomes(events)).toMatchObject([{ ok: false, code: "not-in-room", text: "one" }]);
    expect(client.session.unacknowledged).toBe(0);
  });

  test("asks no more at once than it can keep in mind", () => {
    const server = new FakeServer();
    server.intercept = (_, request) => request.type === "rooms";
    const { client, clock } = setUp({ [A]: server });
    client.connect();
    clock.advance(100);
    const taken = Array.from({ length: chatClientLimits.requests + 1 }, () =>
      client.session.request({ type: "rooms" }),
    );
    expect(taken.slice(0, -1).every(({ ok }) => ok)).toBeTrue();
    expect(taken.at(-1)).toMatchObject({ ok: false, code: "queue-full" });
  });

  test("takes no line for what it says that is not UTF-8, or asks to be waited for before now", () => {
    expect(parseServerLine(Buffer.from('{"type":"pong","id":"\xff"}', "latin1"))).toMatchObject({
      kind: "invalid",
    });
    for (const line of [
      { type: "going-away", afterMs: -1, jitterMs: 0 },
      { type: "going-away", afterMs: 0, jitterMs: -1 },
      { type: "error", code: "rate-limited", message: "m", afterMs: -1 },
    ]) {
      expect(parseServerLine(Buffer.from(JSON.stringify(line)))).toMatchObject({ kind: "invalid" });
    }
  });

  test("waits as long as asked also when the server that goes away closes first", () => {
    const server = new FakeServer();
    const { client, clock } = setUp({ [A]: server });
    client.connect();
    clock.advance(100);
    const [connection] = server.connections;
    connection!.say({ type: "going-away", afterMs: 3_000, jitterMs: 0 });
    connection!.end();
    clock.advance(2_900);
    expect(client.connection).toMatchObject({ state: "waiting" });
    clock.advance(400);
    expect(client.connection.state).toBe("online");
  });

  test("goes over to a successor at the same address at once, without a word of it, and loses nothing", () => {
    const server = new FakeServer();
    const { client, clock, events } = setUp({ [A]: server, [B]: new FakeServer() });
    client.session.join("lobby");
    client.connect();
    clock.advance(2_000);
    const [connection] = server.connections;
    connection!.say({ type: "going-away", afterMs: 0, jitterMs: 0 });
    client.session.send("lobby", "on its way");
    clock.advance(50);
    expect(server.history).toHaveLength(1);
    connection!.end();
    clock.advance(50);
    expect(states(events)).toEqual(["connecting", "online", "connecting", "online"]);
    expect(server.history).toHaveLength(2);
    expect(texts(events)).toEqual(["on its way"]);
  });

  test("goes over by itself when the server that goes away does not close", () => {
    const server = new FakeServer();
    const { client, clock, events } = setUp({ [A]: server });
    client.connect();
    clock.advance(100);
    clock.advance(2_000);
    [...server.connections][0]!.say({ type: "going-away", afterMs: 0, jitterMs: 0 });
    clock.advance(3_000);
    expect(states(events)).toEqual(["connecting", "online", "connecting", "online"]);
  });

  test("is not sent round and round by a server that always sends it to itself", () => {
    const server = new FakeServer();
    const { client, clock } = setUp({ [A]: server });
    client.connect();
    for (let turn = 0; turn < 300; turn += 1) {
      clock.advance(100);
      const [connection] = server.connections;
      connection?.say({ type: "going-away", afterMs: 0, jitterMs: 0 });
      connection?.end();
    }
    expect(server.history.length).toBeLessThan(30);
  });

  test("a server that goes away without closing is replaced when it asked for it, not later", () => {
    const server = new FakeServer();
    const { client, clock } = setUp({ [A]: server });
    client.connect();
    clock.advance(100);
    [...server.connections][0]!.say({ type: "going-away", afterMs: 3_000, jitterMs: 0 });
    clock.advance(3_100);
    expect(client.connection.state).toBe("online");
    expect(server.history).toHaveLength(2);
  });

  test.each([
    ["version-mismatch", "closed"],
    ["kicked", "closed"],
    ["replaced", "closed"],
    ["slow-consumer", "online"],
    ["no-backend", "online"],
    ["too-many-connections", "online"],
  ])("after the error %s ends up %s", (code, state) => {
    const server = new FakeServer();
    const { client, clock, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    client.session.send("lobby", "on its way");
    [...server.connections][0]!.say({ type: "error", code, message: "because" });
    clock.advance(3_000);
    expect(client.connection.state).toBe(state as ConnectionState["state"]);
    expect(outcomes(events)).toHaveLength(1);
    expect(received(events, "error")).toMatchObject([{ code }]);
    if (state === "closed") expect(client.connection).toMatchObject({ code, message: "because" });
  });

  test("asks for another nick when the first one is taken, and goes on with it", () => {
    const server = new FakeServer();
    const { client, clock, network } = setUp({ [A]: server });
    const other = new Client({
      addresses: [parseAddress(A)],
      nick: "Ana",
      client: "test",
      dial: network.dial,
      clock,
      random: seededRandom(2),
      newId: () => crypto.randomUUID(),
    });
    client.connect();
    clock.advance(100);
    other.connect();
    clock.advance(60_000);
    expect(other.connection).toMatchObject({ state: "needs-nick", nick: "Ana", code: "nick-taken" });
    expect(() => other.changeNick("not a nick")).toThrow("not usable");
    other.changeNick("ana2");
    clock.advance(100);
    expect(other.connection).toMatchObject({ state: "online", nick: "ana2" });
  });

  test("waits for a run before it, which crashed, to give up the nick, and takes another at once when told", () => {
    const server = new FakeServer();
    const { client, clock, events } = setUp({ [A]: server });
    let held = true;
    server.intercept = (connection, request) => {
      if (request.type !== "hello" || request.nick !== "ana" || !held) return false;
      connection.say({ type: "error", code: "nick-taken", message: "taken", id: request.id! });
      return true;
    };
    client.connect();
    clock.advance(10_000);
    expect(client.connection).toMatchObject({ code: "nick-taken" });
    held = false;
    clock.advance(2_100);
    expect(client.connection).toMatchObject({ state: "online", nick: "ana", first: true });
    expect(states(events)).not.toContain("needs-nick");

    held = true;
    const again = setUp({ [A]: server });
    again.client.connect();
    again.clock.advance(10_000);
    expect(again.client.connection).toMatchObject({ state: "waiting", code: "nick-taken" });
    again.client.changeNick("ana2");
    again.clock.advance(100);
    expect(again.client.connection).toMatchObject({ state: "online", nick: "ana2" });
  });

  test("waits for its own former life to give up the nick", () => {
    const server = new FakeServer();
    const { client, clock, network, events } = setUp({ [A]: server });
    client.connect();
    clock.advance(100);
    let refusals = 3;
    server.intercept = (connection, request) => {
      if (request.type !== "hello" || refusals === 0) return false;
      refusals -= 1;
      connection.say({ type: "error", code: "nick-taken", message: "taken", id: request.id! });
      return true;
    };
    server.forgetful = true;
    network.cutAll();
    clock.advance(14_000);
    expect(client.connection).toMatchObject({ state: "online", nick: "ana", resumed: false });
    expect(states(events)).not.toContain("needs-nick");
  });

  test("repeats what was refused for a passing reason, keeps the room's order, and gives up in the end", () => {
    const server = new FakeServer();
    let refusals = 0;
    server.intercept = (connection, request) => {
      if (request.type !== "send" || request.text === "two" || refusals === 0) return false;
      refusals -= 1;
      connection.say({ type: "error", code: "unavailable", message: "not now", id: request.id! });
      return true;
    };
    const { client, clock, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    refusals = 3;
    client.session.send("lobby", "one");
    clock.advance(100);
    client.session.send("lobby", "two");
    clock.advance(10_000);
    expect(texts(events)).toEqual(["one", "two"]);
    expect(received(events, "error")).toEqual([]);
    refusals = Number.POSITIVE_INFINITY;
    client.session.send("lobby", "never");
    clock.advance(300_000);
    expect(outcomes(events).at(-1)).toMatchObject({ ok: false, code: "unavailable", text: "never" });
    expect(client.session.unacknowledged).toBe(0);
  });

  test("goes as fast as a server lets it, in order, without trying in vain for long", () => {
    const server = new FakeServer();
    let tokens = 5;
    let [refused, sent] = [0, 0];
    server.intercept = (connection, request) => {
      if (request.type !== "send") return false;
      sent += 1;
      tokens -= 1;
      if (tokens >= 0) return false;
      tokens = 0;
      refused += 1;
      const message = "more than 5 messages a second";
      connection.say({ type: "error", code: "rate-limited", message, id: request.id!, afterMs: 200 });
      return true;
    };
    const { client, clock, events } = setUp({ [A]: server });
    const rooms = Array.from({ length: 20 }, (_, index) => `room${index}`);
    for (const room of rooms) client.session.join(room);
    client.connect();
    clock.advance(100);
    const all = Array.from({ length: 200 }, (_, index) => `${index}`);
    for (const text of all) client.session.send(rooms[Number(text) % 20] ?? "", text);
    clock.every(200, () => (tokens = Math.min(5, tokens + 1)));
    clock.advance(45_000);
    expect(client.session.unacknowledged).toBe(0);
    expect(outcomes(events).every(({ ok }) => ok)).toBe(true);
    for (const [index, room] of rooms.entries())
      expect(server.log(room).map(({ text }) => text)).toEqual(
        all.filter((text) => Number(text) % 20 === index),
      );
    // The first flight, and now and then one too many.
    expect(refused).toBeLessThan(sent * 0.6);
  });

  test("joins again when the server says it is not in a room where it should be", () => {
    const server = new FakeServer();
    const { client, clock, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    [...server.connections][0]!.rooms.clear();
    client.session.send("lobby", "hi");
    clock.advance(200);
    expect(outcomes(events)).toMatchObject([{ ok: true, seq: 1 }]);
  });

  test("tells why a room cannot be joined, and fails what was meant for it", () => {
    const server = new FakeServer();
    server.intercept = (connection, request) => {
      if (request.type !== "join") return false;
      connection.say({ type: "error", code: "too-many-rooms", message: "leave one", id: request.id! });
      return true;
    };
    const { client, clock, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.session.send("lobby", "hi");
    client.connect();
    clock.advance(100);
    expect(received(events, "error")).toMatchObject([{ code: "too-many-rooms" }]);
    expect(outcomes(events)).toMatchObject([{ ok: false, code: "too-many-rooms", text: "hi" }]);
    expect(client.session.rooms.size).toBe(0);
  });

  test("refuses more than it can hold, and tells when there is room again", () => {
    const { client, clock, events } = setUp();
    client.session.join("lobby");
    let taken = 0;
    while (client.session.send("lobby", `n${taken}`).ok) taken += 1;
    expect(taken).toBe(1_000);
    expect(client.session.send("lobby", "more")).toMatchObject({ ok: false, code: "queue-full" });
    client.connect();
    expect(clock.until(() => events.some(({ kind }) => kind === "writable"), 5_000)).toBeTrue();
    expect(client.session.send("lobby", "more")).toMatchObject({ ok: true });
    clock.advance(5_000);
    expect(outcomes(events).filter(({ ok }) => ok)).toHaveLength(1_001);
    expect(texts(events)).toEqual([...Array.from({ length: 1_000 }, (_, n) => `n${n}`), "more"]);
  });

  test("answers requests, and fails them when the connection breaks or nobody answers", () => {
    const server = new FakeServer();
    const { client, clock, network } = setUp({ [A]: server });
    const answers: unknown[] = [];
    const ask = () =>
      client.session.request({ type: "rooms" }, (answer) => answers.push(answer.ok ? "ok" : answer.code));
    expect(ask()).toMatchObject({ ok: false, code: "disconnected" });
    client.connect();
    clock.advance(100);
    ask();
    clock.advance(100);
    ask();
    network.cutAll();
    clock.advance(2_000);
    server.intercept = (_, request) => request.type === "rooms";
    ask();
    clock.advance(20_000);
    expect(answers).toEqual(["ok", "disconnected", "timeout"]);
  });

  test("refuses text that a server would refuse, before it is queued", () => {
    const { client } = setUp();
    client.session.join("lobby");
    expect(client.session.send("lobby", "")).toMatchObject({ ok: false, code: "bad-text" });
    expect(client.session.send("lobby", "x".repeat(8_193))).toMatchObject({ code: "text-too-long" });
    expect(client.session.send("lobby", "\u001b[31m")).toMatchObject({ code: "bad-text" });
    expect(client.session.send("elsewhere", "x")).toMatchObject({ code: "not-in-room" });
    for (const id of ["", "x".repeat(65), "\ud800"]) {
      expect(client.session.send("lobby", "x", id)).toMatchObject({ code: "bad-message" });
    }
    expect(client.session.unacknowledged).toBe(0);
  });

  test("knows at the first line that something else than rtchat is there", () => {
    for (const greeting of ["HTTP/1.1 400 Bad Request\r", "SSH-2.0-OpenSSH_9.2\r", "* OK IMAP4rev1 ready"]) {
      const server = new FakeServer();
      server.intercept = (connection) => {
        connection.raw(greeting);
        return true;
      };
      const { client, clock } = setUp({ [A]: server });
      client.connect();
      clock.advance(100);
      expect(client.connection).toMatchObject({ state: "waiting", code: "NOT_RTCHAT" });
    }
  });

  test("survives whatever a server says", () => {
    const server = new FakeServer();
    const { client, clock, events } = setUp({ [A]: server });
    client.connect();
    clock.advance(100);
    const [connection] = server.connections;
    for (const line of [
      "",
      "nonsense",
      "[]",
      "null",
      "{}",
      '{"type":7}',
      '{"type":"message","room":"lobby"}',
      '{"type":"joined","room":"lobby","seq":-1}',
      '{"type":"error"}',
      '{"type":"from-the-future","x":1}',
      '{"type":"__proto__"}',
      '{"type":"topic","room":"lobby","text":"x","by":"x","at":1e300}',
      '{"type":"message","room":"nowhere","seq":1,"from":"x","at":1,"text":"x"}',
      '{"type":"ack","id":"unknown","room":"lobby","seq":1,"at":1}',
    ]) {
      connection!.raw(line);
    }
    clock.advance(100);
    expect(client.connection.state).toBe("online");
    // A time that no Date can hold would throw on every screen and in every export.
    expect(events.some((event) => event.kind === "received" && event.message.type === "topic")).toBe(false);
    expect(events.filter(({ kind }) => kind === "unknown")).toEqual([
      { kind: "unknown", object: { type: "from-the-future", x: 1 } },
      { kind: "unknown", object: expect.objectContaining({ type: "__proto__" }) },
    ]);
    connection!.raw("x".repeat(3 * 1024 * 1024));
    clock.advance(2_000);
    expect(server.history).toHaveLength(2);
    expect(client.connection.state).toBe("online");
  });

  test("closes with a goodbye, once, and then refuses everything", () => {
    const server = new FakeServer();
    const { client, clock, events } = setUp({ [A]: server });
    client.session.join("lobby");
    client.connect();
    clock.advance(100);
    client.session.send("lobby", "too late to hear of");
    client.close();
    client.close();
    clock.advance(1_000);
    expect(server.history[0]!.received.at(-1)).toEqual({ type: "bye" });
    expect(outcomes(events)).toMatchObject([{ ok: false, code: "closed" }]);
    expect(states(events)).toEqual(["connecting", "online", "closed"]);
    expect(client.session.send("lobby", "x")).toMatchObject({ ok: false, code: "closed" });
    expect(clock.waiting).toBe(0);
  });
});
