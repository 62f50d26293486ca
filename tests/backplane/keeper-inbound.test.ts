/** What comes from a keeper while missed entries are read: it waits within a bound, in its order, and nothing is lost. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HistoryQuery } from "../../src/backplane/backplane.ts";
import { CallTable, PublishCall } from "../../src/backplane/keeper/calls.ts";
import { Conversation } from "../../src/backplane/keeper/conversation.ts";
import { Inbound } from "../../src/backplane/keeper/inbound.ts";
import { PublicationWriter } from "../../src/backplane/keeper/publications.ts";
import { Op } from "../../src/backplane/keeper/wire.ts";
import { listen } from "../../src/net/listener.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { deliveriesOf } from "../../src/protocol/deliveries.ts";
import { FrameDecoder, FrameWriter } from "../../src/protocol/frames.ts";
import { keeperLimits } from "../../src/protocol/limits.keeper.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { bytes, Follower, good, Server, text } from "../conformance/backplane-support.ts";
import { eventually } from "../support/deadline.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { keeperCluster } from "./keeper-support.ts";

const ROOM = 7;
const limits = { waitingBytes: 20_000, waitingFrameBytes: 100, recoveryEntries: 10, recoveryBytes: 10_000 };
const entry = (seq: number) => ({ seq, at: seq, body: bytes(`"text":"${seq}"`) });

/** A server's side alone; the test is the keeper, and the file, whose log has `stored` entries. */
function setUp() {
  const clock = new ManualClock();
  const calls = new CallTable(clock, keeperLimits, 10_000);
  const publications = new PublicationWriter();
  const writer = new FrameWriter();
  const decoder = new FrameDecoder();
  const follower = new Follower();
  const pace: string[] = [];
  const acked: string[] = [];
  let stored = 0;
  const page = ({ after = 0, limit }: HistoryQuery) => {
    const count = Math.min(limit, stored - after);
    const entries = Array.from({ length: count }, (_, index) => entry(after + 1 + index));
    return { epoch: "e", first: 1, last: stored, entries };
  };
  const inbound = new Inbound(
    calls,
    { page },
    silentLogger,
    {
      taken() {},
      told() {},
      status() {},
      pressure: () => void pace.push("pressure"),
      relief: () => void pace.push("relief"),
    },
    limits,
  );
  /** The keeper says something. */
  const say = (write: (writer: FrameWriter) => FrameWriter): void => {
    const frames = new FrameWriter();
    write(frames).end();
    decoder.push(frames.take().slice(), (reader) => inbound.frame(reader));
  };
  const snapshot = (number: number, seq: number): void =>
    say((frames) => frames.begin(Op.Snapshot).u32(number).u32(ROOM).json({ seq, members: [], records: [] }));
  return {
    calls,
    follower,
    inbound,
    pace,
    acked,
    snapshot,
    store: (count: number) => void (stored = count),
    subscribe(): void {
      const number = (calls.nextNumber() + 1) >>> 0;
      const call = inbound.subscribe("lobby", follower, (result) => {
        if (result.ok) follower.take(result.snapshot);
      });
      calls.add(call, writer);
      snapshot(number, 0);
    },
    /** @returns its number */
    publish(key: string): number {
      const number = (calls.nextNumber() + 1) >>> 0;
      const call = new PublishCall({ room: "lobby", key, body: bytes(key) }, publications, (result) => {
        acked.push(result.ok ? `${key} is ${result.position.seq}, told ${follower.last}` : `${key} failed`);
      });
      calls.add(call, writer);
      return number;
    },
    /** The keeper logged something for a publish: tells of the entry, and answers, in frames of its own making. */
    logged(number: number, seq: number): void {
      const { first, count, lines } = deliveriesOf([entry(seq)]);
      say((frames) => frames.begin(Op.Entries).u32(ROOM).f64(first).u32(count).bytes(lines));
      say((frames) => frames.begin(Op.Published).u32(number).u32(1).u8(0).f64(seq).f64(seq));
    },
    /** Another keeper has welcomed the server. @returns the number of the question about the room */
    welcome(): number {
      const number = (calls.nextNumber() + 1) >>> 0;
      inbound.lost();
      inbound.welcomed(writer, "e");
      calls.repeat(writer);
      return number;
    },
  };
}

describe("while a room is recovered", () => {
  test("the keeper is read no more above a bound, and again when half of it is handled; all comes in order", async () => {
    const { follower, inbound, pace, acked, ...keeper } = setUp();
    inbound.welcomed(new FrameWriter(), "e");
    keeper.subscribe();
    const again = keeper.welcome();
    keeper.store(200);
    keeper.snapshot(again, 200);
    expect(follower.last).toBe(10);

    const numbers = Array.from({ length: 500 }, (_, index) => keeper.publish(String(index + 201)));
    let readable = 0;
    for (const [index, number] of numbers.entries()) {
      if (pace.length === 0) readable += 1;
      keeper.logged(number, index + 201);
    }
    // Whole frames that had arrived by then are kept; but one would not have read on for them.
    expect(readable).toBeGreaterThan(20);
    expect(readable).toBeLessThan(100);
    expect(pace).toEqual(["pressure"]);
    expect(acked).toEqual([]);

    await eventually(
      () => acked.length === 500,
      () => "the answers",
    );
    expect(pace).toEqual(["pressure", "relief"]);
    expect(follower.wrong).toEqual([]);
    expect(follower.entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 700 }, (_, at) => at + 1));
    // Whoever is told that it is logged has heard it by then, at its place.
    expect(acked).toEqual(numbers.map((_, at) => `${at + 201} is ${at + 201}, told ${at + 201}`));
  });

  test("and the keeper is lost: what waited counts for nothing, and the next one is read", async () => {
    const { follower, inbound, pace, acked, ...keeper } = setUp();
    inbound.welcomed(new FrameWriter(), "e");
    keeper.subscribe();
    const again = keeper.welcome();
    keeper.store(200);
    keeper.snapshot(again, 200);
    const numbers = Array.from({ length: 300 }, (_, index) => keeper.publish(String(index + 201)));
    for (const [index, number] of numbers.entries()) keeper.logged(number, index + 201);
    expect(pace).toEqual(["pressure"]);

    const last = keeper.welcome();
    keeper.store(500);
    keeper.snapshot(last, 500);
    keeper.logged(keeper.publish("501"), 501);
    await eventually(
      () => acked.length === 1,
      () => "the answer",
    );
    expect(acked).toEqual(["501 is 501, told 501"]);
    expect(pace).toEqual(["pressure"]);
    // The rest was repeated to the new keeper, and is under way.
    expect(keeper.calls.size).toBe(300);
    for (const [index, number] of numbers.entries()) keeper.logged(number, index + 201);
    expect(acked).toHaveLength(301);
    expect(follower.wrong).toEqual([]);
    expect(follower.entries.map((one) => text(one.body))).toHaveLength(501);
  });
});

test("a keeper that is not read is not taken for silent, and one that is read again and says nothing is", async () => {
  const directory = mkdtempSync(join(tmpdir(), "rtchat-inbound-"));
  const path = join(directory, "keeper.sock");
  const settings = { clock: systemClock, limits: { outboxBytes: 1e6, highWaterBytes: 1e6, lingerMs: 100 } };
  const welcome = new FrameWriter()
    .begin(Op.Welcome)
    .json({ term: 1, cluster: "c", epoch: "e" })
    .end()
    .take();
  const listener = listen({
    at: { path },
    settings,
    accept: (connection) => {
      connection.writeNow(welcome);
      return { data() {}, close() {} };
    },
  });
  const hello = () => ({ version: 1, server: "s", power: false, sessions: [] });
  const impatient = { ...keeperLimits, beatMs: 5, silentBeats: 3, patientBeats: 6 };
  try {
    const conversation = await Conversation.open(path, hello, systemClock, impatient, {
      welcomed: (_, by) => by.pause(),
      frame() {},
      measured() {},
      running: () => true,
    });
    let end = "";
    void conversation?.end.then((how) => (end = how));
    await Bun.sleep(impatient.beatMs * impatient.patientBeats * 4);
    expect(end).toBe("");
    conversation?.resume();
    expect(await conversation?.end).toBe("silent");
  } finally {
    listener.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});

test("servers that hold next to nothing hear everything through takeovers under load", async () => {
  const cluster = await keeperCluster();
  const small = {
    ...keeperLimits,
    journalEntries: 40,
    journalMs: 100,
    ...limits,
    waitingBytes: 500,
    recoveryEntries: 3,
  };
  try {
    const servers: Server[] = [];
    for (let count = 0; count < 3; count += 1)
      servers.push(await new Server(cluster.server({ limits: small })).start());
    const followers = await Promise.all(servers.map((server) => server.follow("lobby")));
    const acked: string[] = [];
    for (let round = 0; round < 2; round += 1) {
      const writers = servers.slice(round + 1);
      const keys = writers.flatMap((_, writer) =>
        Array.from({ length: 300 }, (__, index) => `${round}-${writer}-${index}`),
      );
      const publish = async (key: string): Promise<void> => {
        const server = writers[Number(key.split("-")[1])]!;
        await good((done) =>
          server.plane.publish({ room: "lobby", key, body: bytes(`"text":"${key}"`) }, done),
        );
        acked.push(key);
      };
      const half = keys.length / 2;
      const first = keys.slice(0, half).map(publish);
      // The keeper is the server that was first, and is gone in the middle of it.
      await cluster.vanish(servers[round]!.plane);
      await Promise.all([...first, ...keys.slice(half).map(publish)]);
    }
    const last = followers.at(-1)!;
    await eventually(
      () => last.last === acked.length,
      () => `entry ${acked.length}, at ${last.last}`,
    );
    expect(last.wrong).toEqual([]);
    expect(last.resets).toBe(0);
    expect(new Set(last.texts)).toEqual(new Set(acked.map((key) => `"text":"${key}"`)));
  } finally {
    await cluster.close();
  }
});
