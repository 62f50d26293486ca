/**
 * Which cluster is ours.
 *
 * Backends of two clusters behind one address would show half of the people to each other and hide the rest, so only
 * one cluster gets sessions. The cluster that most backends belong to wins, connected now or not: three crashed servers
 * of the right cluster must not make the one wrong server right. Between equals the present one stays, and at first
 * the one that stands first in the list.
 */
import { quote } from "../protocol/names.ts";
import type { Backend } from "./backend.ts";

/** A backend as far as its cluster is concerned. */
export interface ClusterMember {
  readonly cluster: string | undefined;
}

/** The cluster that wins, or undefined while none is known. */
export function winningCluster(
  members: readonly ClusterMember[],
  present: string | undefined,
): string | undefined {
  const counts = new Map<string, number>();
  for (const { cluster } of members) {
    if (cluster !== undefined) counts.set(cluster, (counts.get(cluster) ?? 0) + 1);
  }
  let winner = present !== undefined && counts.has(present) ? present : undefined;
  let most = winner === undefined ? 0 : (counts.get(winner) ?? 0);
  for (const [cluster, count] of counts) {
    if (count > most) {
      winner = cluster;
      most = count;
    }
  }
  return winner ?? present;
}

/** Quarantines the backends of other clusters, and ends the quarantine of those that are ours. @returns which is ours */
export function judgeClusters(backends: readonly Backend[], present: string | undefined): string | undefined {
  const ours = winningCluster(backends, present);
  for (const backend of backends) {
    if (ours !== undefined && backend.cluster !== undefined && backend.cluster !== ours) {
      const detail = wrongClusterDetail(backend.id, backend.cluster, ours);
      backend.quarantine = { reason: "wrong-cluster", detail };
    } else if (backend.quarantine?.reason === "wrong-cluster") backend.quarantine = undefined;
  }
  return ours;
}

/** Tells an operator what to do about a backend of another cluster. */
function wrongClusterDetail(id: string, theirs: string, ours: string): string {
  return (
    `${id} belongs to cluster ${quote(theirs)}, this balancer serves ${quote(ours)}; ` +
    "start it with the same --data folder or the same --backplane as the others, or remove it from the list"
  );
}
