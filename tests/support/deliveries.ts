/** Lines for clients, taken apart again into the entries that they were made of. */
import type { LogEntry } from "../../src/backplane/backplane.ts";
import type { Deliveries } from "../../src/protocol/deliveries.ts";

/** The entries; their positions and number must be what the whole says. */
export function entriesOf({ first, count, lines }: Deliveries): LogEntry[] {
  const texts = Buffer.from(lines).toString("latin1").split("\n");
  if (texts.pop() !== "") throw new Error("the last line has no end");
  if (texts.length !== count) throw new Error(`${count} lines said, ${texts.length} found`);
  return texts.map((line, index) => {
    const [, seq, at, body] = /^\{"type":"message","seq":(\d+),"at":(\d+),([^]*)\}$/.exec(line) ?? [];
    if (Number(seq) !== first + index) throw new Error(`not the line of entry ${first + index}: ${line}`);
    return { seq: first + index, at: Number(at), body: Buffer.from(body ?? "", "latin1") };
  });
}
