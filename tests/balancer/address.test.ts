import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { checkBackends, parseBackendsFile } from "../../src/balancer/address.ts";
import { AddressError, formatAddress, parseWeightedList } from "../../src/protocol/address.ts";

describe("a list of backends", () => {
  test("may be a file with comments", () => {
    expect(
      parseBackendsFile("# ours\n8001 # first\n\nchat.lan:8002*2, [::1]:3\n").map(formatAddress),
    ).toEqual(["127.0.0.1:8001", "chat.lan:8002", "[::1]:3"]);
    expect(parseBackendsFile("")).toEqual([]);
    expect(() => parseBackendsFile("8001\nwhat ever\n")).toThrow(/"what ever"/);
  });

  test("names nobody twice, whatever the spelling", () => {
    expect(() => parseBackendsFile("8001\n127.0.0.1:8001*2")).toThrow(/"127\.0\.0\.1:8001" is named twice/);
    expect(() => parseBackendsFile("[::1]:1\n[0:0::1]:1")).toThrow(/"\[::1\]:1" is named twice/);
    expect(() => parseBackendsFile("10.0.0.1:1\n[::ffff:a00:1]:1")).toThrow(/"10\.0\.0\.1:1" is named twice/);
  });

  test("has a limit, and no port 0", () => {
    const many = Array.from({ length: 257 }, (_, index) => index + 1).join("\n");
    expect(() => parseBackendsFile(many)).toThrow(/257 backends are too many; the limit is 256/);
    expect(() => parseBackendsFile("0")).toThrow(/port 0/);
  });

  test("survives being written and read again", () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, port) => {
        const list = checkBackends(parseWeightedList(formatAddress({ host: name, port })));
        expect(parseBackendsFile(list.map(formatAddress).join("\n"))).toEqual(list);
      }),
    );
  });

  test("never throws anything but an address error", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        try {
          parseBackendsFile(text);
        } catch (error) {
          expect(error).toBeInstanceOf(AddressError);
        }
      }),
    );
  });
});
