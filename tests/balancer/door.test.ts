import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Door, NetworkListError, parseNetworks } from "../../src/balancer/door.ts";
import { doorLimits } from "../../src/protocol/limits.balancer.ts";
import { ManualClock } from "../support/manual-clock.ts";

describe("the door", () => {
  test("counts connections in total", () => {
    const door = new Door({ clock: new ManualClock(), connections: 2 });
    expect(door.enter("192.0.2.1").admitted).toBe(true);
    expect(door.enter("192.0.2.2").admitted).toBe(true);
    const refused = door.enter("192.0.2.3");
    expect(refused).toMatchObject({
      admitted: false,
      reason: "total",
      message: expect.stringContaining("2 connections"),
    });
    door.leave("192.0.2.1");
    expect(door.enter("192.0.2.3").admitted).toBe(true);
    expect(door.counters).toEqual({
      admitted: 3,
      refused: { total: 1, address: 0, rate: 0, descriptors: 0 },
    });
  });

  test("counts connections by address, v6 by /64", () => {
    const door = new Door({ clock: new ManualClock(), perAddress: 2, newPerSecond: 0 });
    expect(door.enter("2001:db8::1").admitted).toBe(true);
    expect(door.enter("2001:db8::2").admitted).toBe(true);
    expect(door.enter("2001:db8::3")).toMatchObject({ admitted: false, reason: "address" });
    expect(door.enter("2001:db8:0:1::3").admitted).toBe(true);
    door.leave("2001:db8::2");
    expect(door.enter("2001:db8::3").admitted).toBe(true);
  });

  test("lets an address open so many a second, after a burst", () => {
    const clock = new ManualClock();
    const door = new Door({ clock, newPerSecond: 10 });
    const enter = (n: number) =>
      Array.from({ length: n }, () => door.enter("192.0.2.1")).filter((a) => a.admitted).length;
    expect(enter(50)).toBe(20);
    expect(door.enter("192.0.2.1")).toMatchObject({
      reason: "rate",
      message: expect.stringContaining("192.0.2.1"),
    });
    clock.advance(500);
    expect(enter(50)).toBe(5);
    expect(door.enter("192.0.2.2").admitted).toBe(true);
    clock.advance(60_000);
    expect(enter(50)).toBe(20);
  });

  test("forgets whoever it has not seen for longest, when it knows too many", () => {
    const clock = new ManualClock();
    const door = new Door({ clock, newPerSecond: 1, perAddress: 0, connections: 0 });
    const enter = (n: number) => door.enter(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`).admitted;
    // Both have used their burst up; one of them comes again and again.
    for (let turn = 0; turn < 2; turn += 1) expect([enter(0), enter(1)]).toEqual([true, true]);
    for (let n = 2; n < doorLimits.addresses; n += 1) enter(n);
    expect(enter(0)).toBe(false);
    for (let n = 0; n < 2; n += 1) enter(doorLimits.addresses + n);
    expect([enter(0), enter(1)]).toEqual([false, true]);
  });

  test("lets loopback in as it likes, unless told otherwise", () => {
    const open = new Door({ clock: new ManualClock(), perAddress: 1, newPerSecond: 1 });
    const strict = new Door({
      clock: new ManualClock(),
      perAddress: 1,
      newPerSecond: 1,
      limitLoopback: true,
    });
    for (const ip of ["127.0.0.1", "127.0.0.1", "::1", "::1"]) expect(open.enter(ip).admitted).toBe(true);
    expect(strict.enter("127.0.0.1").admitted).toBe(true);
    expect(strict.enter("127.0.0.1").admitted).toBe(false);
  });

  test("refuses when descriptors run out, and says that", () => {
    let free = 1_000;
    const door = new Door({ clock: new ManualClock(), freeDescriptors: () => free });
    expect(door.enter("192.0.2.1").admitted).toBe(true);
    free = 127;
    expect(door.enter("192.0.2.1")).toMatchObject({ admitted: false, reason: "descriptors" });
  });

  test("never lets more in than its limits, and forgets everybody who left", () => {
    const ip = fc.constantFrom("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:1::1");
    const step = fc.tuple(fc.boolean(), ip, fc.nat(400));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const clock = new ManualClock();
        const door = new Door({ clock, connections: 6, perAddress: 3, newPerSecond: 5 });
        const inside: string[] = [];
        for (const [enters, who, ms] of steps) {
          clock.advance(ms);
          if (enters) {
            if (door.enter(who).admitted) inside.push(who);
          } else if (inside.includes(who)) {
            inside.splice(inside.indexOf(who), 1);
            door.leave(who);
          }
          expect(door.open).toBe(inside.length);
          expect(inside.length).toBeLessThanOrEqual(6);
          expect(inside.filter((one) => one.startsWith("2001:db8::")).length).toBeLessThanOrEqual(3);
          expect(inside.filter((one) => one === "192.0.2.1").length).toBeLessThanOrEqual(3);
        }
        for (const who of inside) door.leave(who);
        clock.advance(10_000);
        expect([1, 2, 3].map(() => door.enter("2001:db8::9").admitted)).toEqual([true, true, true]);
      }),
    );
  });
});

describe("a list of networks", () => {
  test("holds addresses and CIDRs of both families", () => {
    const inside = parseNetworks("10.0.0.0/8, 192.0.2.1,::1 , 2001:db8::/32");
    for (const ip of ["10.255.1.1", "192.0.2.1", "::1", "2001:db8:ffff::1", "::ffff:10.1.1.1"])
      expect(inside(ip)).toBe(true);
    for (const ip of ["11.0.0.1", "192.0.2.2", "::2", "2001:db9::1", "", "nonsense"])
      expect(inside(ip)).toBe(false);
  });

  test.each([
    "",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0/8",
    "::1/129",
    "10.0.0.0/8/8",
    "host",
    "10.0.0.1,,10.0.0.2",
  ])("refuses %p with its own words", (text) => {
    expect(() => parseNetworks(text)).toThrow(NetworkListError);
    expect(() => parseNetworks(text)).toThrow(/is not a network; write an address or a CIDR/);
  });
});
