import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseProxyHeader } from "../../src/balancer/proxy-protocol.ts";
import { doorLimits } from "../../src/protocol/limits.balancer.ts";

const bytesOf = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

/** A version 2 header, written from the specification's tables rather than with our own code. */
function v2(command: number, familyAndProtocol: number, payload: readonly number[]): Uint8Array {
  return Uint8Array.from([
    ...signature,
    0x20 | command,
    familyAndProtocol,
    payload.length >> 8,
    payload.length & 0xff,
    ...payload,
  ]);
}
const v4Payload = [192, 0, 2, 7, 198, 51, 100, 1, 0x30, 0x39, 0x1f, 0x40];
const v6Payload = [
  0x20,
  1,
  0x0d,
  0xb8,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  5,
  ...Array(16).fill(0),
  0,
  80,
  1,
  1,
];

describe("a PROXY header", () => {
  test("of version 1 names the client", () => {
    const line = "PROXY TCP4 192.0.2.7 198.51.100.1 12345 8000\r\n";
    expect(parseProxyHeader(bytesOf(`${line}{"type"`))).toEqual({
      kind: "header",
      length: line.length,
      source: { ip: "192.0.2.7", port: 12_345 },
    });
    const six = "PROXY TCP6 2001:db8::5 2001:db8::1 1 65535\r\n";
    expect(parseProxyHeader(bytesOf(six))).toMatchObject({ source: { ip: "2001:db8::5", port: 1 } });
    const mapped = "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 1 65535\r\n";
    expect(parseProxyHeader(bytesOf(mapped))).toMatchObject({ source: { ip: "192.0.2.7", port: 1 } });
    expect(parseProxyHeader(bytesOf("PROXY UNKNOWN whatever it says\r\n"))).toEqual({
      kind: "header",
      length: 32,
    });
  });

  test("of version 2 names the client, and its extensions are skipped", () => {
    expect(parseProxyHeader(v2(1, 0x11, v4Payload))).toEqual({
      kind: "header",
      length: 28,
      source: { ip: "192.0.2.7", port: 12_345 },
    });
    expect(parseProxyHeader(v2(1, 0x11, [...v4Payload, 0x04, 0, 1, 0]))).toMatchObject({ length: 32 });
    expect(parseProxyHeader(v2(1, 0x21, v6Payload))).toMatchObject({
      source: { ip: "2001:db8::5", port: 80 },
    });
    // As a proxy that listens on both families at once gives an IPv4 client.
    const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7];
    expect(parseProxyHeader(v2(1, 0x21, [...mapped, ...mapped, 0, 80, 1, 1]))).toMatchObject({
      source: { ip: "192.0.2.7", port: 80 },
    });
    expect(parseProxyHeader(v2(0, 0x00, []))).toEqual({ kind: "header", length: 16 });
    expect(parseProxyHeader(v2(1, 0x31, Array(216).fill(0)))).toEqual({ kind: "header", length: 232 });
  });

  test.each([
    ["no header", bytesOf(`{"type":"hello"}\n`)],
    ["a family of its own", bytesOf("PROXY TCP5 192.0.2.7 198.51.100.1 1 2\r\n")],
    ["a v6 address in a v4 line", bytesOf("PROXY TCP4 ::1 ::1 1 2\r\n")],
    ["a port over the limit", bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n")],
    ["a port with a leading zero", bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n")],
    ["words after the ports", bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n")],
    ["a line without CR", bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n")],
    ["a line without end", bytesOf(`PROXY TCP4 ${"1".repeat(200)}`)],
    ["version 3", Uint8Array.from([...signature, 0x31, 0x11, 0, 12, ...v4Payload])],
    ["an unknown command", v2(2, 0x11, v4Payload)],
    ["UDP", v2(1, 0x12, v4Payload)],
    ["addresses cut short", v2(1, 0x11, v4Payload.slice(0, 8))],
    ["a length over the limit", Uint8Array.from([...signature, 0x21, 0x11, 0xff, 0xff])],
  ])("is refused with %s", (_, bytes) => {
    expect(parseProxyHeader(bytes).kind).toBe("invalid");
  });

  test("is incomplete at every prefix, and takes no byte of what follows", () => {
    const headers = [
      bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 12345 8000\r\n"),
      bytesOf("PROXY UNKNOWN\r\n"),
      v2(1, 0x11, v4Payload),
      v2(1, 0x21, [...v6Payload, 1, 2, 3]),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...headers), fc.uint8Array({ maxLength: 40 }), (header, tail) => {
        for (let length = 0; length < header.length; length += 1) {
          expect(parseProxyHeader(header.subarray(0, length))).toEqual({ kind: "incomplete" });
        }
        const whole = Uint8Array.from([...header, ...tail]);
        expect(parseProxyHeader(whole)).toEqual(parseProxyHeader(header));
        expect(parseProxyHeader(header)).toMatchObject({ kind: "header", length: header.length });
      }),
    );
  });

  test("with any bytes flipped or made up never throws, never asks for more than the limit", () => {
    const base = fc.constantFrom(v2(1, 0x11, v4Payload), bytesOf("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"));
    const flips = fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
    fc.assert(
      fc.property(base, flips, fc.uint8Array({ maxLength: 3_000, size: "max" }), (start, changes, tail) => {
        const bytes = Uint8Array.from([...start, ...tail]);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const result = parseProxyHeader(bytes);
        if (result.kind === "header") expect(result.length).toBeLessThanOrEqual(bytes.length);
        if (result.kind === "incomplete") expect(bytes.length).toBeLessThan(doorLimits.proxyHeaderBytes);
      }),
      { numRuns: 2_000 },
    );
  });
});
