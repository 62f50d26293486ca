import { expect, test } from "bun:test";
import { validityState } from "../../src/protocol/validity.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A certificate that lives `life` and has `left`. */
function stateOf(life: number, left: number): string {
  const now = Date.parse("2026-06-01T00:00:00Z");
  const iso = (ms: number) => new Date(ms).toISOString();
  return validityState({ notBefore: iso(now + left - life), notAfter: iso(now + left) }, now);
}

test("the end is near with two weeks left, of short lives with a quarter", () => {
  expect(stateOf(365 * DAY_MS, 14 * DAY_MS)).toBe("good");
  expect(stateOf(90 * DAY_MS, 14 * DAY_MS)).toBe("good");
  expect(stateOf(90 * DAY_MS, 14 * DAY_MS - 1)).toBe("ending");
  expect(stateOf(6 * DAY_MS, 2 * DAY_MS)).toBe("good");
  expect(stateOf(6 * DAY_MS, DAY_MS)).toBe("ending");
  expect(stateOf(DAY_MS, 7 * HOUR_MS)).toBe("good");
  expect(stateOf(90 * DAY_MS, 1)).toBe("ending");
  expect(stateOf(90 * DAY_MS, 0)).toBe("ended");
});
