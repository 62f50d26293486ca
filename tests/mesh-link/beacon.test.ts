import { expect, test } from "bun:test";
import fc from "fast-check";
import { beaconBytes, makeBeacon, readBeacon } from "../../src/mesh/lan/beacon.ts";
import { broadcastAddresses } from "../../src/net/broadcast.ts";

const secret = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
const now = 1_800_000_000_000;

test("a member reads the port, with the current secret or the one before", () => {
  const beacon = makeBeacon([secret(2), secret(1)], 5002, now, random);
  for (const secrets of [[secret(2), secret(1)], [secret(2)], [secret(1)], [secret(3), secret(2)]]) {
    expect(readBeacon(beacon, secrets, now)).toMatchObject({ port: 5002, isMember: true });
  }
});

test("others see that rtchat is there, and not whose mesh it is", () => {
  const beacon = makeBeacon([secret(2)], 5002, now, random);
  expect(readBeacon(beacon, [secret(7)], now)).toMatchObject({ port: 5002, isMember: false });
  expect(readBeacon(beacon, [], now)).toMatchObject({ isMember: false });
  const next = makeBeacon([secret(2)], 5002, now, random);
  // Beside the magic, the time and the port nothing repeats.
  expect(Buffer.from(beacon).subarray(10).equals(Buffer.from(next).subarray(10))).toBe(false);
  expect(Buffer.from(beacon).subarray(18, 34)).not.toEqual(Buffer.from(next).subarray(18, 34));
});

test("a beacon is worth nothing after a minute, elsewhere, or changed", () => {
  const beacon = makeBeacon([secret(2)], 5002, now, random);
  for (const later of [29_000, -29_000])
    expect(readBeacon(beacon, [secret(2)], now + later)?.isMember).toBe(true);
  for (const later of [61_000, -61_000]) expect(readBeacon(beacon, [secret(2)], now + later)).toBeUndefined();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 33 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const changed = Uint8Array.from(beacon);
      changed[at] = (changed[at] ?? 0) ^ by;
      expect(readBeacon(changed, [secret(2)], now)?.isMember ?? false).toBe(false);
    }),
  );
});

test("any datagram is read or passed over", () => {
  const datagrams = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc
      .uint8Array({ minLength: beaconBytes - 4, maxLength: beaconBytes - 4 })
      .map((rest) => Buffer.concat([Buffer.from("rtb1"), rest])),
  );
  fc.assert(
    fc.property(datagrams, (datagram) => {
      expect(readBeacon(datagram, [secret(2)], now)?.isMember ?? false).toBe(false);
    }),
  );
});

test("broadcast addresses are those of the own networks", () => {
  const of = (address: string, netmask: string, internal = false, family: "IPv4" | "IPv6" = "IPv4") =>
    ({ address, netmask, internal, family, mac: "", cidr: null, scopeid: 0 }) as never;
  const interfaces = {
    lo: [of("127.0.0.1", "255.0.0.0", true)],
    eth0: [of("192.168.1.20", "255.255.255.0"), of("fe80::1", "ffff::", false, "IPv6")],
    eth1: [of("10.1.2.3", "255.255.240.0")],
    eth2: undefined,
  };
  expect(broadcastAddresses(interfaces)).toEqual(["192.168.1.255", "10.1.15.255"]);
});
