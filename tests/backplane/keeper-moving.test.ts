/** What the keeper's store knows while entries are on their way from the journal to the rooms' logs, and afterwards. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { KeysAhead } from "../../src/backplane/keeper/keys-ahead.ts";
import { KeyWindow } from "../../src/backplane/keeper/key-window.ts";
import { LogReader } from "../../src/backplane/keeper/reader.ts";
import { Sweeper } from "../../src/backplane/keeper/retention.ts";
import { bytes, text } from "../conformance/backplane-support.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { Keeper, part, storeFiles } from "./store-support.ts";

const newFile = storeFiles();

/** A clock that a slice's time is up with at every look. */
class HurriedClock extends ManualClock {
  override monotonic(): number {
    this.advance(1_000);
    return super.monotonic();
  }
}

const names = Array.from({ length: 40 }, (_, index) => `room ${index}`);

/** A keeper that has stored an entry of each room, and is in the middle of moving them. */
function halfMoved(file: string): Keeper {
  const keeper = new Keeper(file, new HurriedClock(), 1_000);
  keeper.store.begin();
  for (const name of names) keeper.publish(name, "first", `first of ${name}`);
  keeper.store.commit();
  keeper.compactor.slice();
  const moved = keeper.store.db.query<{ n: number }, []>("SELECT count(*) AS n FROM entries").get()!.n;
  expect(moved).toBeGreaterThan(0);
  expect(moved).toBeLessThan(names.length);
  return keeper;
}

/** Each room's log is its first entry and its second, once, whoever looks. */
function expectLogs(file: string): void {
  const reader = new LogReader(file);
  for (const name of names) {
    const { entries } = reader.page({ room: name, limit: 10, maxBytes: 1e6 });
    expect(entries.map(({ seq, body }) => [seq, text(body)])).toEqual([
      [1, `first of ${name}`],
      [2, `second of ${name}`],
    ]);
  }
  reader.close();
}

describe("in the middle of moving entries", () => {
  test("rooms go on where they were, whether theirs have been moved or not", () => {
    const file = newFile();
    const keeper = halfMoved(file);
    // Every room has to be asked for again.
    keeper.store.begin();
    keeper.fail();
    keeper.store.begin();
    for (const name of names) expect(keeper.publish(name, "second", `second of ${name}`)).toBe(2);
    keeper.store.commit();
    expectLogs(file);
    while (keeper.compactor.due) keeper.compactor.slice();
    expectLogs(file);
    keeper.store.db.close();
  });

  test("a repeated key is told the time its entry has", () => {
    const keeper = halfMoved(newFile());
    const { store } = keeper;
    store.begin();
    for (const name of names) keeper.publish(name, "second", "x");
    const expectTimes = () => {
      for (const name of names) {
        const entry = { seq: 3, at: 9_999, body: part(bytes("again")) };
        expect(store.append(keeper.room(name), part(bytes("first")), entry)).toEqual({ seq: 1, at: 1_000 });
      }
    };
    expectTimes();
    store.commit();
    while (keeper.compactor.due) keeper.compactor.slice();
    store.begin();
    expectTimes();
    store.commit();
    store.db.close();
  });

  test("another keeper may take over, and moves nothing twice", () => {
    const file = newFile();
    halfMoved(file).store.db.close();
    const next = new Keeper(file, new HurriedClock(), 1_000);
    next.store.begin();
    for (const name of names) expect(next.publish(name, "second", `second of ${name}`)).toBe(2);
    next.store.commit();
    while (next.compactor.due) next.compactor.slice();
    expectLogs(file);
    next.store.db.close();
  });
});

describe("retention by age", () => {
  const DAY_MS = 24 * 3_600_000;

  test("removes what is older than so many days, and remembers the newest of it", () => {
    const file = newFile();
    const clock = new ManualClock();
    const keeper = new Keeper(file, clock, 100);
    const { store } = keeper;
    const room = keeper.room("lobby");
    const start = clock.now();
    // Two a day; the fifth is exactly two days old in the end.
    for (const [index, days] of [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5].entries()) {
      store.begin();
      const entry = { seq: index + 1, at: start + days * DAY_MS, body: part(bytes(`entry ${index + 1}`)) };
      store.append(room, part(bytes(`key ${index}`)), entry);
      store.commit();
    }
    while (keeper.compactor.due) keeper.compactor.slice();
    clock.advance(4 * DAY_MS);
    new Sweeper(store, clock, { keepMessages: undefined, keepDays: 2 }).slice(1);
    const reader = new LogReader(file);
    const page = () => reader.page({ room: "lobby", limit: 10, maxBytes: 1e6 });
    expect(page().first).toBe(5);
    expect(page().entries.map(({ seq, body }) => [seq, text(body)])).toEqual(
      [5, 6, 7, 8].map((seq) => [seq, `entry ${seq}`]),
    );
    clock.advance(4 * DAY_MS);
    new Sweeper(store, clock, { keepMessages: undefined, keepDays: 2 }).slice(1);
    expect(page()).toMatchObject({ first: 9, last: 8, entries: [] });
    expect(store.load("lobby")).toMatchObject({ last: 8, lastAt: start + 3.5 * DAY_MS });
    reader.close();
    store.db.close();
  });
});

describe("what is left of a session that ends", () => {
  test("is nothing, also of the rooms it was in", () => {
    const file = newFile();
    const { store, room } = withRooms(file);
    store.begin();
    const session = { session: "s", nick: "ana", owner: "one", fence: 1, away: undefined };
    const kept = { ...session, session: "t" };
    for (const one of [session, kept]) {
      store.putSession({ ...one, rooms: [room] } as never);
      store.putMember(room, one as never);
    }
    store.dropSession({ ...session, rooms: [room] } as never);
    store.commit();
    store.db.close();
    const db = new Database(file, { readonly: true });
    expect(db.query("SELECT session FROM members").all()).toEqual([{ session: "t" }]);
    db.close();
  });

  function withRooms(file: string) {
    const keeper = new Keeper(file, new ManualClock(), 100);
    return { store: keeper.store, room: keeper.room("lobby") };
  }
});

describe("keys that are hashed ahead", () => {
  const frame = Buffer.from("alpha beta gamma");
  const alpha = { buffer: frame, start: 0, length: 5 };
  const beta = { buffer: frame, start: 6, length: 4 };
  const gamma = { buffer: frame, start: 11, length: 5 };

  test("have the hash they would have had, in whatever order and of whatever room they are asked for", () => {
    const keys = new KeyWindow(10, 3);
    const ahead = new KeysAhead(keys);
    const right = (room: number, key: typeof alpha) => ({ ...keys.hash(room, key) });
    const other = { ...beta, buffer: Buffer.from("delta echo golf ") };
    ahead.begin(frame);
    for (const key of [alpha, beta, gamma]) ahead.add(1, key);
    ahead.look();
    const asked = [
      [1, alpha],
      [2, beta],
      [1, other],
      [1, beta],
      [1, alpha],
      [1, gamma],
      [1, gamma],
    ] as const;
    for (const [room, key] of asked) expect({ ...ahead.of(room, key) }).toEqual(right(room, key));
  });

  test("are taken in their order, without being hashed again", () => {
    const keys = new KeyWindow(10, 3);
    const ahead = new KeysAhead(keys);
    ahead.begin(frame);
    for (const key of [alpha, beta, gamma]) ahead.add(1, key);
    let hashed = 0;
    const hash = keys.hash.bind(keys);
    keys.hash = (...args) => {
      hashed += 1;
      return hash(...args);
    };
    for (const key of [alpha, beta, gamma]) ahead.of(1, key);
    expect(hashed).toBe(0);
    ahead.of(1, alpha);
    expect(hashed).toBe(1);
  });
});
