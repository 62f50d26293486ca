import { expect, test } from "bun:test";
import fc from "fast-check";
import { bisect } from "../../src/protocol/bisect.ts";

test("finds where what is before ends, between any two bounds, and looks at nothing outside of them", () => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(50), fc.nat(120), (low, length, border) => {
      const high = low + length;
      const found = bisect(low, high, (index) => {
        expect(index >= low && index < high).toBe(true);
        return index < border;
      });
      expect(found).toBe(Math.min(Math.max(border, low), high));
    }),
  );
});
