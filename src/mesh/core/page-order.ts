/**
 * What a page holds: the nodes of the wished chains, in the mesh's total order, as far as somebody reads.
 *
 * Whoever asks is not to be trusted: nothing keeps a peer from wishing the same chain a thousand times, or many branches
 * that share a long way. So the work is bounded by the log and by `stepsMost`, whatever is wished.
 */
import { bisect } from "../../protocol/bisect.ts";
import { syncLimits } from "../../protocol/limits.mesh.ts";
import type { Wish } from "./frames.ts";
import { compareNodes, runsAfter, type Graph, type Node } from "./graph.ts";

/** A run of nodes that is merged with others. */
interface Cursor {
  readonly nodes: readonly Node[];
  next: number;
  last: number;
}

/** Part of a segment: from one node of it to another, both included. */
interface Part {
  readonly first: number;
  last: number;
}

/**
 * Nodes of the wished chains, merged into total order, without repetition: parts of a segment that overlap are one. What
 * lies between two parts was not wished, because the other side has it: a page full of that would bring it no nearer.
 * Wishes for which too many branches would have to be followed are left out; they are wished again.
 */
export function* pageOrder(graph: Graph, wishes: readonly Wish[]): Generator<Node> {
  const bySegment = new Map<readonly Node[], Part[]>();
  let steps = 0;
  for (const { tip, locator } of wishes) {
    const node = graph.nodes.get(tip);
    if (node === undefined) continue;
    if (steps >= syncLimits.stepsMost) break;
    const known = locator.flatMap((hash) => graph.nodes.get(hash) ?? []);
    const runs = runsAfter(node, known);
    steps += runs.steps;
    for (const { nodes, first, last } of runs.runs) {
      const parts = bySegment.get(nodes);
      if (parts === undefined) bySegment.set(nodes, [{ first, last }]);
      else parts.push({ first, last });
    }
  }
  const waiting: Cursor[] = [];
  for (const [nodes, parts] of bySegment)
    for (const { first, last } of united(parts)) waiting.push({ nodes, next: first, last });
  waiting.sort(compareCursors);
  for (let first = waiting.shift(); first !== undefined; first = waiting.shift()) {
    const node = nextOf(first);
    if (node === undefined) continue;
    yield node;
    first.next += 1;
    if (first.next <= first.last) waiting.splice(placeFor(waiting, first), 0, first);
  }
}

/** The same without overlaps. */
function united(parts: Part[]): Part[] {
  const apart: Part[] = [];
  for (const part of parts.sort((a, b) => a.first - b.first)) {
    const before = apart.at(-1);
    if (before !== undefined && part.first <= before.last + 1) before.last = Math.max(before.last, part.last);
    else apart.push({ ...part });
  }
  return apart;
}

function nextOf({ nodes, next }: Cursor): Node | undefined {
  return nodes[next];
}

function compareCursors(a: Cursor, b: Cursor): number {
  const [one, other] = [nextOf(a), nextOf(b)];
  return one === undefined || other === undefined ? 0 : compareNodes(one, other);
}

function placeFor(sorted: readonly Cursor[], cursor: Cursor): number {
  return bisect(0, sorted.length, (index) => {
    const other = sorted[index];
    return other !== undefined && compareCursors(other, cursor) < 0;
  });
}
