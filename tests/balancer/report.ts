/** What a server says of itself, for tests of what a balancer makes of it. */
import type { HubReport } from "../../src/edge/trunk.ts";

/** A server of cluster `c` that is well and has nobody, but for what is given. */
export function hubReport(changes: Partial<HubReport> = {}): HubReport {
  return {
    server: "s",
    cluster: "c",
    build: "1",
    sessions: 0,
    rooms: 0,
    messages: 0,
    backplane: "ok",
    backplaneMs: 1,
    draining: false,
    ...changes,
  };
}
