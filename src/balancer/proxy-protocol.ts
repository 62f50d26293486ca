/**
 * PROXY protocol, versions 1 and 2, as HAProxy's specification (proxy-protocol.txt, 2020/03/05) defines them: the first
 * bytes of a connection from a trusted proxy, which name the client behind it.
 *
 * Pure: bytes in, verdict out. The header must be there when its source is one that sends it, because a client could
 * otherwise choose its own address by sending none; and it is never looked for from anybody else.
 *
 * Invariant: a header is consumed to its last byte and not one more; a prefix of a header is never an error.
 */
import { isIP } from "node:net";
import { plainIp } from "../protocol/ip.ts";
import { doorLimits } from "../protocol/limits.balancer.ts";

/** What the bytes so far are. */
export type ProxyHeader =
  | { readonly kind: "incomplete" }
  | { readonly kind: "invalid"; readonly detail: string }
  /** `length` bytes are header. `source` is absent for the proxy's own checks and for unknown families. */
  | {
      readonly kind: "header";
      readonly length: number;
      readonly source?: { readonly ip: string; readonly port: number };
    };

const SIGNATURE = new Uint8Array([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const V1_PREFIX = new TextEncoder().encode("PROXY ");
/** The longest line the specification allows, its CRLF counted. */
const V1_MOST = 107;
const V2_FIXED = 16;

const incomplete = { kind: "incomplete" } as const;
const invalid = (detail: string) => ({ kind: "invalid", detail }) as const;

/** Reads the beginning of a connection. `bytes` is everything received so far. */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader {
  if (bytes.length === 0) return incomplete;
  if (startsAlike(bytes, SIGNATURE)) return bytes.length < V2_FIXED ? incomplete : parseV2(bytes);
  if (startsAlike(bytes, V1_PREFIX)) return bytes.length < V1_PREFIX.length ? incomplete : parseV1(bytes);
  return invalid("the connection does not begin with a PROXY header");
}

/** Equal as far as both go. */
function startsAlike(bytes: Uint8Array, prefix: Uint8Array): boolean {
  const length = Math.min(bytes.length, prefix.length);
  for (let at = 0; at < length; at += 1) if (bytes[at] !== prefix[at]) return false;
  return true;
}

function parseV1(bytes: Uint8Array): ProxyHeader {
  const end = bytes.subarray(0, V1_MOST).indexOf(0x0a);
  if (end === -1)
    return bytes.length < V1_MOST ? incomplete : invalid(`the PROXY line is over ${V1_MOST} bytes`);
  if (bytes[end - 1] !== 0x0d) return invalid("the PROXY line does not end with CR LF");
  const length = end + 1;
  const words = new TextDecoder("latin1").decode(bytes.subarray(V1_PREFIX.length, end - 1)).split(" ");
  const [family, source = "", destination = "", sourcePort = "", destinationPort = "", ...rest] = words;
  if (family === "UNKNOWN") return { kind: "header", length };
  const valid = family === "TCP4" ? isV4 : family === "TCP6" ? isV6 : undefined;
  if (valid === undefined || rest.length > 0 || !valid(source) || !valid(destination)) {
    return invalid("the PROXY line does not hold two addresses of its family");
  }
  if (!isPort(sourcePort) || !isPort(destinationPort))
    return invalid("the PROXY line does not hold two ports");
  return { kind: "header", length, source: { ip: plainIp(source), port: Number(sourcePort) } };
}

const isPort = (text: string): boolean => /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
const isV4 = (text: string): boolean => isIP(text) === 4;
const isV6 = (text: string): boolean => isIP(text) === 6 && !text.includes("%");

function parseV2(bytes: Uint8Array): ProxyHeader {
  const [versionAndCommand = 0, familyAndProtocol = 0, high = 0, low = 0] = bytes.subarray(12, V2_FIXED);
  const length = V2_FIXED + high * 256 + low;
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2)
    return invalid(`PROXY header of version ${versionAndCommand >> 4}; 1 and 2 are known`);
  if (command > 1) return invalid(`PROXY command ${command} is not known`);
  if (length > doorLimits.proxyHeaderBytes) {
    return invalid(`PROXY header of ${length} bytes; the limit is ${doorLimits.proxyHeaderBytes}`);
  }
  if (bytes.length < length) return incomplete;
  // LOCAL: the proxy itself, checking whether anybody is here.
  if (command === 0) return { kind: "header", length };
  const family = familyAndProtocol >> 4;
  const addressBytes = family === 1 ? 4 : family === 2 ? 16 : 0;
  // Unix sockets and unspecified families say nothing about a client's address.
  if (addressBytes === 0) return { kind: "header", length };
  if ((familyAndProtocol & 0x0f) !== 1) return invalid("PROXY header for another transport than TCP");
  if (length < V2_FIXED + 2 * addressBytes + 4) return invalid("PROXY header is too short for its addresses");
  const source = bytes.subarray(V2_FIXED, V2_FIXED + addressBytes);
  const portAt = V2_FIXED + 2 * addressBytes;
  const port = (bytes[portAt] ?? 0) * 256 + (bytes[portAt + 1] ?? 0);
  return {
    kind: "header",
    length,
    source: { ip: plainIp(family === 1 ? [...source].join(".") : v6Text(source)), port },
  };
}

function v6Text(bytes: Uint8Array): string {
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2)
    groups.push(((bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)).toString(16));
  return groups.join(":");
}
