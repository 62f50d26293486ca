/**
 * The balancers' own books after a run: what was chosen less what failed is what was placed, for each backend and in
 * sum; what left one backend arrived at another. Asked when nothing is under way.
 */
import { snapshotSchema } from "../../src/admin/schemas.ts";
import type { Snapshot } from "../../src/balancer/view.ts";

/** In which whoever leaves has left. */
const SETTLE_MS = 5_000;

/** What does not add up in one balancer's figures, in words. */
export function unreconciled(snapshot: Snapshot): string[] {
  const wrong: string[] = [];
  const expect = (what: string, one: number, other: number): void => {
    if (one !== other) wrong.push(`${snapshot.name}: ${what}: ${one} is not ${other}`);
  };
  let placed = 0;
  let here = 0;
  for (const { id, selected, failures, sessions, handovers } of snapshot.backends) {
    expect(`${id}: selected less failures, and placed`, selected - failures, sessions.total - handovers.in);
    placed += sessions.total - handovers.in;
    here += sessions.current;
  }
  expect("placed at all backends, and accepted", placed, snapshot.sessions.total);
  expect(
    "selected less failures, and accepted",
    snapshot.selected - snapshot.failures,
    snapshot.sessions.total,
  );
  expect("sessions at all backends, and sessions", here, snapshot.sessions.current);
  return wrong;
}

async function ask(admin: string): Promise<string[]> {
  const [stats, backends] = await Promise.all(
    ["stats", "backends"].map(async (path) => (await fetch(`${admin}/api/v1/${path}`)).json()),
  );
  return unreconciled(snapshotSchema.parse({ ...Object(stats), ...Object(backends) }));
}

/**
 * Asks every balancer, until nothing is under way there: the two answers are of two moments, and whoever has just read the
 * log may leave between them. Figures that are wrong stay so.
 * @throws Error if one does not answer, or its figures do not add up
 */
export async function checkCounters(admins: readonly string[]): Promise<void> {
  for (const admin of admins) {
    const end = performance.now() + SETTLE_MS;
    let wrong = await ask(admin);
    while (wrong.length > 0 && performance.now() < end) {
      await Bun.sleep(20);
      wrong = await ask(admin);
    }
    if (wrong.length > 0) throw new Error(`the counters of ${admin} do not reconcile: ${wrong.join("; ")}`);
  }
}
