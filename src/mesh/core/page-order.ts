/**
 * What a page holds: the nodes of the wished chains, in the mesh's total order, as far as somebody reads.
 *
 * Whoever asks is not to be trusted: nothing keeps a peer from wishing the same chain a thousand times, or many branches
 * that share a long way. So the work is bounded by the log and by `stepsMost`, whatever is wished.
 */
import { syncLimits } from "../../protocol/limits.mesh.ts";
import type { Wish } from "./frames.ts";
import { compareNodes, runsAfter, type Graph, type Node } from "./graph.ts";

/** A run of nodes that is merged with others. */
interface Cursor {
  readonly nodes: readonly Node[];
  next: number;
  last: number;
}

/**
 * Nodes of the wished chains, merged into total order, without repetition: there is one cursor a segment, whatever is
 * wished. Wishes for which too many branches would have to be followed are left out; they are wished again.
 */
export function* pageOrder(graph: Graph, wishes: readonly Wish[]): Generator<Node> {
  const bySegment = new Map<readonly Node[], Cursor>();
  let steps = 0;
  for (const { tip, locator } of wishes) {
    const node = graph.nodes.get(tip);
    if (node === undefined) continue;
    if (steps >= syncLimits.stepsMost) break;
    const known = locator.flatMap((hash) => graph.nodes.get(hash) ?? []);
    const runs = runsAfter(node, known);
    steps += runs.steps;
    for (const { nodes, first, last } of runs.runs) {
      const cursor = bySegment.get(nodes);
      if (cursor === undefined) bySegment.set(nodes, { nodes, next: first, last });
      else {
        cursor.next = Math.min(cursor.next, first);
        cursor.last = Math.max(cursor.last, last);
      }
    }
  }
  const waiting = [...bySegment.values()].sort(compareCursors);
  for (let first = waiting.shift(); first !== undefined; first = waiting.shift()) {
    const node = nextOf(first);
    if (node === undefined) continue;
    yield node;
    first.next += 1;
    if (first.next <= first.last) waiting.splice(placeFor(waiting, first), 0, first);
  }
}

function nextOf({ nodes, next }: Cursor): Node | undefined {
  return nodes[next];
}

function compareCursors(a: Cursor, b: Cursor): number {
  const [one, other] = [nextOf(a), nextOf(b)];
  return one === undefined || other === undefined ? 0 : compareNodes(one, other);
}

function placeFor(sorted: readonly Cursor[], cursor: Cursor): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = sorted[middle];
    if (other !== undefined && compareCursors(other, cursor) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
