import { expect, test } from "bun:test";
import fc from "fast-check";
import { ByteQueue } from "../../src/net/byte-queue.ts";

type Step = { readonly append: Uint8Array } | { readonly skip: number } | { readonly cut: true };

const step = fc.oneof(
  fc.uint8Array({ maxLength: 9_000 }).map((append): Step => ({ append })),
  // To within a block as well as to its end.
  fc.oneof(fc.nat(200_000), fc.nat(300)).map((skip): Step => ({ skip })),
  fc.constant<Step>({ cut: true }),
);

test("is a first-in-first-out queue of bytes, whatever the sizes", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new ByteQueue();
      let model = Buffer.alloc(0);
      for (const one of steps) {
        if ("append" in one) {
          queue.append(one.append);
          model = Buffer.concat([model, one.append]);
        } else if ("skip" in one) {
          const count = Math.min(one.skip, queue.peek().length);
          queue.skip(count);
          model = model.subarray(count);
        } else {
          queue.keepFirstLine();
          const at = model.indexOf(10);
          if (at !== -1) model = model.subarray(0, at + 1);
        }
        expect(queue.length).toBe(model.length);
        const front = queue.peek();
        expect(front.length > 0).toBe(model.length > 0);
        expect(Buffer.compare(front, model.subarray(0, front.length))).toBe(0);
      }
      while (queue.length > 0) {
        const front = queue.peek();
        expect(Buffer.compare(front, model.subarray(0, front.length))).toBe(0);
        model = model.subarray(front.length);
        queue.skip(front.length);
      }
      expect(model.length).toBe(0);
    }),
  );
});

test("keeps copies: what the caller does with its bytes afterwards changes nothing", () => {
  const queue = new ByteQueue();
  const bytes = new Uint8Array([1, 2, 3]);
  queue.append(bytes);
  bytes.fill(9);
  expect([...queue.peek()]).toEqual([1, 2, 3]);
});
