import { isIP } from "node:net";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { addressBlock, plainIp } from "../../src/protocol/ip.ts";

describe("the one spelling of an address", () => {
  test.each([
    ["10.1.2.3", "10.1.2.3"],
    ["::FFFF:10.1.2.3", "10.1.2.3"],
    ["::ffff:a01:203", "10.1.2.3"],
    ["0:0:0:0:0:FFFF:0A01:0203", "10.1.2.3"],
    ["::ffff:0:1", "0.0.0.1"],
    ["2001:DB8:0:0::05", "2001:db8::5"],
    ["fe80::1%eth0", "fe80::1%eth0"],
    ["::ffff", "::ffff"],
    ["relay", "relay"],
    ["unix", "unix"],
  ])("of %j is %j", (written, plain) => {
    expect(plainIp(written)).toBe(plain);
  });

  test("is an address of which there is no other spelling", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (written) => {
        const plain = plainIp(written);
        expect(isIP(plain)).not.toBe(0);
        expect(plainIp(plain)).toBe(plain);
      }),
    );
  });
});

describe("the block an address is limited by", () => {
  test("is the address for v4, however it came, and the /64 for v6", () => {
    expect(addressBlock("10.1.2.3")).toBe("10.1.2.3");
    expect(addressBlock("::ffff:10.1.2.3")).toBe("10.1.2.3");
    expect(addressBlock("::ffff:a01:203")).toBe("10.1.2.3");
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
