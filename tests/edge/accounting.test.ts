/** The pairs that router.ts promises, under random events: what a balancer counts must add up. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Edge } from "../../src/edge/edge.ts";
import type { TrunkLink } from "../../src/edge/link.ts";
import type { EdgeObserver } from "../../src/edge/router.ts";
import type { TrunkFate } from "../../src/edge/trunk.ts";
import { seededRandom } from "../../src/protocol/clock.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { Bare, until } from "../net/helpers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { FakeHub } from "./fake-hub.ts";

type Count = "selected" | "placed" | "failed" | "in" | "out" | "ended";

/** Counts as a balancer does, by trunk. */
class Books implements EdgeObserver {
  readonly #counts = new Map<TrunkLink, Record<Count, number>>();
  endedWhileHeld = 0;
  pauses = 0;

  of(link: TrunkLink): Record<Count, number> {
    let counts = this.#counts.get(link);
    if (counts === undefined) {
      counts = { selected: 0, placed: 0, failed: 0, in: 0, out: 0, ended: 0 };
      this.#counts.set(link, counts);
    }
    return counts;
  }
  placed(link: TrunkLink): void {
    this.of(link).placed += 1;
  }
  failed(link: TrunkLink): void {
    this.of(link).failed += 1;
  }
  movedIn(link: TrunkLink): void {
    this.of(link).in += 1;
  }
  movedOut(link: TrunkLink): void {
    this.of(link).out += 1;
  }
  resumed(_link: TrunkLink, pauseMs: number): void {
    expect(pauseMs).toBeGreaterThanOrEqual(0);
    this.pauses += 1;
  }
  ended(link: TrunkLink | undefined): void {
    if (link === undefined) this.endedWhileHeld += 1;
    else this.of(link).ended += 1;
  }
}

type Step =
  | "connect"
  | "speak"
  | "leave"
  | "break"
  | "hub-answers"
  | "hub-closes"
  | "cut"
  | "attach"
  | "move"
  | "wait";
const step = fc.constantFrom<Step>(
  "connect",
  "connect",
  "speak",
  "speak",
  "leave",
  "break",
  "hub-answers",
  "hub-answers",
  "hub-closes",
  "cut",
  "attach",
  "attach",
  "move",
  "wait",
);

test("whatever happens in whatever order, the counts of every trunk add up", async () => {
  let moved = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 90 }), fc.integer(), async (steps, seed) => {
      const random = seededRandom(seed);
      const below = (most: number): number => Math.floor(random() * most);
      const clock = new ManualClock();
      const books = new Books();
      const hubs = new Map<TrunkLink, { hub: FakeHub; fate: TrunkFate | undefined }>();
      const open = (): TrunkLink[] => [...hubs.keys()].filter((link) => link.isOpen);
      const some = (): TrunkLink | undefined => open()[below(open().length)];
      const edge = new Edge({
        name: "edge",
        clock,
        logger: silentLogger,
        observer: books,
        limits: { placedPerTurn: 2, holdMs: 5_000, sweepMs: 500 },
        router: {
          place: () => {
            const link = some();
            if (link !== undefined) books.of(link).selected += 1;
            return link ?? "wait";
          },
          move: () => some() ?? "wait",
        },
      });
      const listener = edge.listen({ at: { host: "127.0.0.1", port: 0 } });
      const bares: Bare[] = [];
      const attach = (): void => {
        const hub = new FakeHub();
        hub.onLine = () => {};
        let fate: TrunkFate | undefined;
        const link = edge.attach(
          {
            start: (port, its) => {
              fate = its;
              return hub.attach(port).port;
            },
            stop: () => {},
          },
          "hub",
        );
        hubs.set(link, { hub, fate });
        edge.retry();
      };
      attach();
      for (let index = 0; index < 3; index += 1) {
        const fresh = await Bare.to({ host: "127.0.0.1", port: listener.port });
        fresh.open.write("hello\n");
        bares.push(fresh);
      }
      await until(() => [...edge.sessions].length === 3);
      for (const one of steps) {
        const bare = bares[below(bares.length)];
        const link = some();
        const there = link === undefined ? undefined : hubs.get(link);
        const sessions = there?.hub.sessions.filter(({ closed }) => closed === undefined) ?? [];
        if (one === "connect") {
          const fresh = await Bare.to({ host: "127.0.0.1", port: listener.port });
          if (below(4) > 0) fresh.open.write("hello\n");
          bares.push(fresh);
        } else if (one === "speak") bare?.open.write("more\n");
        else if (one === "leave") bare?.open.end();
        else if (one === "break") bare?.open.terminate();
        else if (one === "attach") attach();
        else if (one === "wait") clock.advance(below(3_000));
        else if (link !== undefined && there !== undefined) {
          if (one === "cut") there.fate?.gone();
          else if (one === "move") edge.move(link, 1 + below(3));
          else if (one === "hub-answers") {
            for (const session of sessions) {
              if (below(2) === 0) there.hub.port.token(session.id, "token");
              there.hub.say(session, "answer");
            }
          } else if (one === "hub-closes" && sessions[0] !== undefined) {
            sessions[0].closed = "kicked";
            there.hub.port.close(sessions[0].id, "kicked");
          }
        }
        if (below(2) === 0) await Bun.sleep(0);
        clock.advance(0);
        check(edge, books, hubs.keys());
      }
      const gone = edge.shutdown({ afterMs: 0, jitterMs: 0, deadlineMs: 1_000 });
      clock.advance(1_000);
      await gone;
      check(edge, books, hubs.keys());
      for (const link of hubs.keys()) expect(link.size).toBe(0);
      expect(edge.connections).toBe(0);
      moved += books.pauses;
      for (const bare of bares) bare.open.terminate();
    }),
    { numRuns: 100 },
  );
  expect(moved).toBeGreaterThan(10);
}, 60_000);

function check(edge: Edge, books: Books, links: Iterable<TrunkLink>): void {
  let [ins, outs] = [0, 0];
  for (const link of links) {
    const counts = books.of(link);
    const pending = counts.selected - counts.placed - counts.failed;
    const sessions = counts.placed + counts.in - counts.out - counts.ended;
    expect(pending).toBeGreaterThanOrEqual(0);
    // Whoever is on the trunk was placed or moved there, or waits for its hub's first word.
    expect(sessions + pending).toBe(link.size);
    ins += counts.in;
    outs += counts.out;
  }
  const wasPlaced = [...edge.sessions].filter(
    (session) => session.wasConfirmed && session.link === undefined && session.endReason === undefined,
  );
  expect(outs - ins - books.endedWhileHeld).toBe(wasPlaced.length);
}
