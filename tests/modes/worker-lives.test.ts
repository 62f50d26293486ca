/** What workers have counted, over all their lives. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { WorkerLives } from "../../src/modes/balancer/worker-lives.ts";
import { backendView, snapshotOf } from "../admin/fixtures.ts";

const count = fc.nat(1_000);

test("no counter falls, whichever workers die, hang and come back, and gauges are those of who answers", () => {
  /** What becomes of a worker between two looks: it works on, does not answer, dies and begins again, or has a successor. */
  const fate = fc.constantFrom("works", "works", "hangs", "dies", "leaves");
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.tuple(fate, count), { minLength: 3, maxLength: 3 }), { maxLength: 12 }),
      (looks) => {
        const lives = new WorkerLives();
        const workers = [0, 1, 2].map((index) => ({ life: index, counted: 0, peak: 0 }));
        let births = 2;
        const numbers = [0, 1, 2];
        let shown = { selected: 0, total: 0, observed: 0, passed: 0, connections: 0 };
        for (const look of looks) {
          const answers = workers.map((worker, index) => {
            const [what, more] = look[index] ?? ["works", 0];
            if (what === "dies" || what === "leaves")
              Object.assign(worker, { life: (births += 1), counted: 0 });
            if (what === "leaves") {
              lives.left(numbers[index] ?? 0);
              numbers[index] = births;
            }
            worker.counted += more;
            if (what === "hangs") return undefined;
            const backend = backendView(1, {
              selected: worker.counted,
              sessions: { current: 1, max: 1, total: worker.counted },
              checks: { passed: worker.counted, failed: 0 },
              roundTrip: { bounds: [0.1], counts: [worker.counted, 0], sum: 0 },
            });
            return {
              ...snapshotOf([backend], {
                connections: { current: 1, total: worker.counted },
                sessions: { current: 1, max: 1, total: worker.counted, held: 1, refused: 0 },
              }),
              selected: worker.counted,
              startedAt: new Date(worker.life * 1_000).toISOString(),
            };
          });
          const picture = lives.picture(
            new Map(answers.map((answer, index) => [numbers[index] ?? 0, answer])),
          );
          const answering = answers.filter((answer) => answer !== undefined).length;
          expect(picture === undefined).toBe(answering === 0);
          if (picture === undefined) continue;
          expect(picture.workers).toBe(answering);
          expect(picture.sessions).toMatchObject({ current: answering, held: answering });
          expect(picture.connections.current).toBe(answering);
          const [only] = picture.backends;
          expect(only?.sessions.current).toBe(answering);
          const now = {
            selected: picture.selected,
            total: only?.sessions.total ?? 0,
            observed: only?.roundTrip.counts[0] ?? 0,
            passed: only?.checks.passed ?? 0,
            connections: picture.connections.total,
          };
          for (const key of Object.keys(now) as (keyof typeof now)[]) {
            expect(now[key]).toBeGreaterThanOrEqual(shown[key]);
          }
          shown = now;
        }
      },
    ),
  );
});

test("a worker that is gone has no opinion of a backend, and none that is in no list any more is shown", () => {
  const lives = new WorkerLives();
  const ill = backendView(1, { state: "down", reason: "L4TOUT", selected: 5 });
  lives.picture(
    new Map([
      [0, snapshotOf([backendView(1, { selected: 1 })])],
      [1, snapshotOf([ill, backendView(2)])],
    ]),
  );
  const picture = lives.picture(
    new Map([
      [0, snapshotOf([backendView(1, { selected: 2 })])],
      [1, undefined],
    ]),
  );
  expect(picture?.backends).toHaveLength(1);
  expect(picture?.backends[0]).toMatchObject({ state: "up", selected: 7 });
});
