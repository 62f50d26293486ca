/** What was written before the mesh's log is here. */
import { expect, test } from "bun:test";
import { Drafts } from "../../src/mesh/node/drafts.ts";
import { StoreError } from "../../src/mesh/core/store-error.ts";
import { MemoryStore } from "../../src/mesh/store/memory.ts";
import { Lab, lines } from "../mesh/support.ts";

test("what waited is kept while the disk is full, in order, and written when it is not", () => {
  class FullStore extends MemoryStore {
    isFull = false;
    override append(entries: Parameters<MemoryStore["append"]>[0]) {
      if (this.isFull) throw new StoreError("the disk is full");
      super.append(entries);
    }
  }
  const lab = new Lab();
  const store = new FullStore();
  const ann = lab.device("ann", { signer: lab.founder, store });
  const texts = ["one", "two", "three"];
  const drafts = new Drafts(texts.map((text) => ({ kind: "chat", room: "lobby", text })));
  ann.core.found("a mesh", lab.nonce);
  store.isFull = true;
  for (let now = 0; now < 60_000; now += 100) drafts.flush(ann.core, now);
  // Each refusal reads the whole log again: not with every tick.
  expect(ann.storeFailures.length).toBeLessThan(10);
  expect(drafts.unsent).toHaveLength(3);
  store.isFull = false;
  drafts.flush(ann.core, 120_000);
  expect(lines(ann)).toEqual(texts);
  expect(drafts.unsent).toEqual([]);
});
