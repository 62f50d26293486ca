/**
 * What every backplane must do, as tests run against any driver.
 *
 * This suite is the exact form of the promises in src/backplane/backplane.ts. A driver's test file calls
 * `backplaneConformance` with a way to make a cluster; each test gets a cluster of its own. Nothing here sleeps: absence
 * of an event is shown by a later event that must come after it.
 */
import { logConformance } from "./backplane-logs.ts";
import { peopleConformance } from "./backplane-people.ts";
import { declareOn } from "./backplane-support.ts";
import type { ClusterFactory } from "./backplane-support.ts";

/** Runs the suite against a driver. */
export function backplaneConformance(driver: string, make: ClusterFactory): void {
  const promise = declareOn(make);
  logConformance(driver, promise);
  peopleConformance(driver, promise);
}
