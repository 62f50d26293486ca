import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  addressBlock,
  BackendAddressError,
  formatAddress,
  parseBackend,
  parseBackends,
} from "../../src/balancer/address.ts";

describe("a backend's address", () => {
  test("is a port, host:port or [v6]:port, with an optional weight", () => {
    expect(parseBackend("8001")).toEqual({ host: "127.0.0.1", port: 8001, weight: 1 });
    expect(parseBackend(" 10.0.0.7:9*3 ")).toEqual({ host: "10.0.0.7", port: 9, weight: 3 });
    expect(parseBackend("[::1]:8001*0")).toEqual({ host: "::1", port: 8001, weight: 0 });
    expect(parseBackend("[2001:DB8:0:0::1]:8001").host).toBe("2001:db8::1");
    expect(parseBackend("Chat.Example.org:8001").host).toBe("chat.example.org");
  });

  test.each([
    "",
    "0",
    "65536",
    "-1",
    "80a",
    "::1:8001",
    "[::1]",
    "[::1]8001",
    "[10.0.0.1]:8001",
    "1.2.3.999:80",
    ":8001",
    "a b:80",
    "host:",
    "http://host:80",
    "8001*",
    "8001*1.5",
    "8001*257",
    "8001*-1",
    "8001*2*3",
    `${"a".repeat(64)}.org:80`,
  ])("%p is refused with its own words and what would do", (text) => {
    let message = "";
    try {
      parseBackend(text);
    } catch (error) {
      expect(error).toBeInstanceOf(BackendAddressError);
      message = (error as Error).message;
    }
    expect(message).toContain(JSON.stringify(text.slice(0, 20)).slice(0, -1));
    expect(message).not.toEndWith(".");
  });

  test("survives being written and read again", () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(
        host,
        fc.integer({ min: 1, max: 65_535 }),
        fc.integer({ min: 0, max: 256 }),
        (name, port, weight) => {
          const spec = parseBackend(`${formatAddress(name, port)}*${weight}`);
          expect(spec).toMatchObject({ port, weight });
          expect(parseBackend(`${formatAddress(spec.host, spec.port)}*${weight}`)).toEqual(spec);
        },
      ),
    );
  });

  test("never throws anything but its own error", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        try {
          parseBackend(text);
        } catch (error) {
          expect(error).toBeInstanceOf(BackendAddressError);
        }
      }),
    );
  });
});

describe("a list of backends", () => {
  test("may be one line or a file with comments", () => {
    expect(parseBackends("8001,8002*2, 8003").map(({ port }) => port)).toEqual([8001, 8002, 8003]);
    expect(parseBackends("# ours\n8001 # first\n\nchat.lan:8002*2\n").map(({ host }) => host)).toEqual([
      "127.0.0.1",
      "chat.lan",
    ]);
    expect(parseBackends("")).toEqual([]);
  });

  test("names nobody twice, whatever the spelling", () => {
    expect(() => parseBackends("8001,127.0.0.1:8001*2")).toThrow(/"127\.0\.0\.1:8001" is named twice/);
    expect(() => parseBackends("[::1]:1,[0:0::1]:1")).toThrow(/named twice/);
  });

  test("has a limit", () => {
    const many = Array.from({ length: 257 }, (_, index) => index + 1).join(",");
    expect(() => parseBackends(many)).toThrow(/257 backends are too many; the limit is 256/);
  });
});

describe("the block an address is limited by", () => {
  test("is the address for v4 and the /64 for v6", () => {
    expect(addressBlock("10.1.2.3")).toBe("10.1.2.3");
    expect(addressBlock("::ffff:10.1.2.3")).toBe("10.1.2.3");
    expect(addressBlock("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
    expect(addressBlock("2001:db8::1")).toBe("2001:db8:0:0::/64");
    expect(addressBlock("::1")).toBe("0:0:0:0::/64");
    expect(addressBlock("fe80::1%eth0")).toBe("fe80:0:0:0::/64");
  });

  test("is shared by v6 addresses exactly when their first 64 bits are equal", () => {
    const group = fc.integer({ min: 0, max: 3 });
    const address = fc.array(group, { minLength: 8, maxLength: 8 });
    const written = (groups: number[]) => groups.map((value) => value.toString(16)).join(":");
    fc.assert(
      fc.property(address, address, (one, other) => {
        const same = one.slice(0, 4).join() === other.slice(0, 4).join();
        // ::ffff:0:0/96 cannot come up: no group is ffff.
        expect(addressBlock(written(one)) === addressBlock(written(other))).toBe(same);
      }),
    );
  });
});
