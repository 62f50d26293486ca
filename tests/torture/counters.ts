/**
 * The balancers' own books after a run: what was chosen less what failed is what was placed, for each backend and in
 * sum; what left one backend arrived at another. Asked when nothing is under way.
 */
import { snapshotSchema } from "../../src/admin/schemas.ts";
import type { Snapshot } from "../../src/balancer/view.ts";

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

/** Asks every balancer. @throws Error if one does not answer, or its figures do not add up */
export async function checkCounters(admins: readonly string[]): Promise<void> {
  for (const admin of admins) {
    const [stats, backends] = await Promise.all(
      ["stats", "backends"].map(async (path) => (await fetch(`${admin}/api/v1/${path}`)).json()),
    );
    const wrong = unreconciled(snapshotSchema.parse({ ...Object(stats), ...Object(backends) }));
    if (wrong.length > 0) throw new Error(`the counters of ${admin} do not reconcile: ${wrong.join("; ")}`);
  }
}
