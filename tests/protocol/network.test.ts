/** Networks: one spelling each, and found by every address in them and by no other. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { contains, NetworkMap, parseNetwork } from "../../src/protocol/network.ts";

test.each([
  ["203.0.113.7", "203.0.113.7/32"],
  ["203.0.113.7/24", "203.0.113.0/24"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["::ffff:203.0.113.7", "203.0.113.7/32"],
  ["::ffff:203.0.113.7/120", "203.0.113.0/24"],
  ["2001:DB8:1:2:3::1", "2001:db8:1:2::/64"],
  ["2001:db8:1:2:3::1/128", "2001:db8:1:2:3::1/128"],
  ["2001:db8::/33", "2001:db8::/33"],
  ["::1", "::/64"],
])("%s is %s", (written, text) => {
  expect(parseNetwork(written)?.text).toBe(text);
  expect(parseNetwork(text)?.text).toBe(text);
});

test.each([
  "",
  "ana",
  "1.2.3",
  "1.2.3.4/33",
  "1.2.3.4/-1",
  "1.2.3.4/08",
  "1.2.3.4/1/2",
  "::/129",
  "fe80::1%eth0",
  "/8",
])("%p is no network", (written) => {
  expect(parseNetwork(written)).toBeUndefined();
});

test("a map finds exactly what contains says, however networks are set and deleted", () => {
  const small = fc.constantFrom(0, 1, 2, 255);
  const v4 = fc.tuple(small, small, small, small).map((parts) => parts.join("."));
  const group = fc.constantFrom("0", "1", "2", "ffff");
  const v6 = fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(":"));
  const network = fc.oneof(
    fc.tuple(v4, fc.integer({ min: 0, max: 32 })),
    fc.tuple(v6, fc.integer({ min: 0, max: 128 })),
  );
  const act = fc.record({ network, keep: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(act, { maxLength: 30 }),
      fc.array(fc.oneof(v4, v6), { maxLength: 10 }),
      (acts, asked) => {
        const map = new NetworkMap<string>();
        const model = new Map<string, NonNullable<ReturnType<typeof parseNetwork>>>();
        for (const {
          network: [ip, length],
          keep,
        } of acts) {
          const one = parseNetwork(`${ip}/${length}`);
          // Inside IPv6, and larger than all of IPv4.
          if (one === undefined) {
            expect(ip).toStartWith("0:0:0:0:0:ffff:");
            continue;
          }
          if (keep) {
            map.set(one, one.text);
            model.set(one.text, one);
          } else expect(map.delete(one)).toBe(model.delete(one.text));
        }
        expect(map.size).toBe(model.size);
        for (const ip of asked) {
          const wanted = [...model.values()].filter((one) => contains(one, ip)).map(({ text }) => text);
          expect([...map.find(ip)].sort()).toEqual(wanted.sort());
        }
      },
    ),
  );
});
