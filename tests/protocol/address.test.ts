import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type Address,
  AddressError,
  formatAddress,
  isLoopback,
  parseAddress,
  parseAddressList,
  parseHost,
  parsePort,
  parseWeightedList,
} from "../../src/protocol/address.ts";

describe("an address", () => {
  test.each([
    ["8001", { host: "127.0.0.1", port: 8001 }],
    ["0", { host: "127.0.0.1", port: 0 }],
    ["0.0.0.0:8001", { host: "0.0.0.0", port: 8001 }],
    ["Chat.Example.org.:8001", { host: "chat.example.org", port: 8001 }],
    ["my_host-1:1", { host: "my_host-1", port: 1 }],
    ["[::1]:8001", { host: "::1", port: 8001 }],
    ["[fe80::1%eth0]:65535", { host: "fe80::1%eth0", port: 65_535 }],
  ])("%s is read", (text, address) => {
    expect(parseAddress(text)).toEqual(address);
  });

  test("takes host and port from the defaults where they are not written", () => {
    expect(parseAddress("8001", { host: "::1" })).toEqual({ host: "::1", port: 8001 });
    expect(parseAddress("chat.example.org", { port: 8000 })).toEqual({
      host: "chat.example.org",
      port: 8000,
    });
    expect(parseAddress("[::1]", { port: 8000 })).toEqual({ host: "::1", port: 8000 });
  });

  test.each([
    ["", `"" is not an address; write a port, host:port or [v6]:port`],
    ["70000", `"70000" is not a port; write a number from 0 to 65535`],
    ["999999", `"999999" is not a port; write a number from 0 to 65535`],
    ["a:", `"" is not a port; write a number from 0 to 65535`],
    ["a:80x", `"80x" is not a port; write a number from 0 to 65535`],
    ["a:-1", `"-1" is not a port; write a number from 0 to 65535`],
    ["::1", `"::1" is ambiguous; write an IPv6 address in brackets: [::1]:PORT`],
    [":8001", `":8001" names no host; write 8001 or host:8001`],
    ["[localhost]:1", `"localhost" in "[localhost]:1" is not an IPv6 address`],
    ["[::1]8001", `"[:" is not a host name or an IP address`],
    ["chat.example.org", `"chat.example.org" names no port; write chat.example.org:PORT`],
    ["1.2.3:80", `"1.2.3" is not a host name or an IP address`],
    ["256.1.1.1:80", `"256.1.1.1" is not a host name or an IP address`],
    ["a..b:80", `"a..b" is not a host name or an IP address`],
    ["-a:80", `"-a" is not a host name or an IP address`],
    ["http://a:80", `"http://a" is not a host name or an IP address`],
    ["a b:80", `"a b" is not a host name or an IP address`],
    ["\u001b[31m:80", String.raw`"\u001b[31m" is not a host name or an IP address`],
  ])("%p is refused with a reason", (text, message) => {
    expect(() => parseAddress(text)).toThrow(new AddressError(message));
  });

  test("read back from its written form is the same", () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain(), fc.constant("localhost"));
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
        const address: Address = { host: parseHost(name), port };
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
    );
  });

  test("is never read from random text in a form that reads differently when written", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0189.:[]-_a,*") }), (text) => {
        let address: Address;
        try {
          address = parseAddress(text);
        } catch (error) {
          expect(error).toBeInstanceOf(AddressError);
          return;
        }
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
    );
  });
});

describe("a port", () => {
  test("is written in digits only", () => {
    expect(parsePort("0")).toBe(0);
    expect(parsePort("65535")).toBe(65_535);
    for (const text of ["65536", "1e3", "0x10", " 1", "1.0", "", "+1"])
      expect(() => parsePort(text)).toThrow(AddressError);
  });
});

describe("a list of addresses", () => {
  test("is split at commas, spaces ignored", () => {
    expect(parseAddressList("8001, [::1]:8002 ,b:8003")).toEqual([
      { host: "127.0.0.1", port: 8001 },
      { host: "::1", port: 8002 },
      { host: "b", port: 8003 },
    ]);
  });

  test("has no empty places and nothing twice", () => {
    expect(() => parseAddressList("8001,,8002")).toThrow(`"8001,,8002" is not a list of addresses`);
    expect(() => parseAddressList("")).toThrow(AddressError);
    expect(() => parseAddressList("8001,127.0.0.1:8001")).toThrow(
      `127.0.0.1:8001 is twice in "8001,127.0.0.1:8001"`,
    );
  });

  test("may carry weights", () => {
    expect(parseWeightedList("8001*3,a:8002,[::1]:1*256")).toEqual([
      { host: "127.0.0.1", port: 8001, weight: 3 },
      { host: "a", port: 8002, weight: 1 },
      { host: "::1", port: 1, weight: 256 },
    ]);
    for (const text of ["8001*0", "8001*257", "8001*", "8001*x", "8001*1.5", "*2", "8001*2,8001*3"]) {
      expect(() => parseWeightedList(text)).toThrow(AddressError);
    }
  });
});

test("loopback addresses are told from others", () => {
  expect(
    ["127.0.0.1", "127.9.9.9", "::1", "0::1", "localhost", "::ffff:127.0.0.1", "::ffff:7f00:1"].map(
      isLoopback,
    ),
  ).not.toContain(false);
  expect(
    ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "127.evil", "128.0.0.1"].map(isLoopback),
  ).not.toContain(true);
});
