/** Addresses that somebody else tells may be anything. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { isIP } from "node:net";
import { toldAddresses } from "../../src/modes/client/direct/told-addresses.ts";
import { formatAddress } from "../../src/protocol/address.ts";
import type { Introduction } from "../../src/protocol/messages.ts";

const said = (addresses: readonly string[], seen?: string): Introduction => ({
  type: "introduction",
  pair: "p",
  nick: "bob",
  addresses,
  ...(seen === undefined ? {} : { seen }),
});
const told = (addresses: readonly string[], seen?: string) =>
  toldAddresses(said(addresses, seen)).map(formatAddress);

test("IP addresses are taken, and the host that the server sees with the port of the first", () => {
  expect(told(["192.0.2.1:5", "[2001:db8::1]:6"], "198.51.100.9")).toEqual([
    "192.0.2.1:5",
    "[2001:db8::1]:6",
    "198.51.100.9:5",
  ]);
  expect(told(["192.0.2.1:5", "192.0.2.1:5"], "192.0.2.1")).toEqual(["192.0.2.1:5"]);
  expect(told([], "198.51.100.9")).toEqual([]);
});

test("names are not resolved, and what is no address is passed over", () => {
  expect(
    told(["example.org:5", "localhost:5", "192.0.2.1", "999.1.1.1:4", ":::", "\u001b[2J:1"], "example.org"),
  ).toEqual([]);
  const many = Array.from({ length: 40 }, (_, n) => `192.0.2.${n}:5`);
  expect(told(many)).toHaveLength(12);
});

test("nothing that can be said throws, or gives anything but IP addresses with ports", () => {
  const text = fc.oneof(
    fc.string(),
    fc.ipV4(),
    fc.ipV6(),
    fc.tuple(fc.ipV4(), fc.integer()).map((one) => one.join(":")),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 20 }), fc.option(text, { nil: undefined }), (addresses, seen) => {
      const found = toldAddresses(said(addresses, seen));
      expect(found.length).toBeLessThanOrEqual(13);
      for (const { host, port } of found) {
        expect(isIP(host)).not.toBe(0);
        expect(port).toBeWithin(0, 65_536);
      }
    }),
  );
});
