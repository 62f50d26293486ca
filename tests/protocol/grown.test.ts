import { describe, expect, test } from "bun:test";
import { grown } from "../../src/protocol/grown.ts";

const buffer = Uint8Array.of(1, 2, 3, 4);

describe("a buffer that has become too short", () => {
  test("is doubled, and begins as it did", () => {
    const longer = grown(buffer, 3, 5);
    expect(longer.length).toBe(8);
    expect([...longer.subarray(0, 3)]).toEqual([1, 2, 3]);
    longer[0] = 9;
    expect(buffer[0]).toBe(1);
  });

  test("takes what is needed, where twice is not enough", () => {
    expect(grown(buffer, 4, 20).length).toBe(20);
    expect(grown(new Uint8Array(0), 0, 1).length).toBe(1);
  });
});
