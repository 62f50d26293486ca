/**
 * Programs that knock at the wrong door: they are answered in their own protocol, so that a wrong port is an
 * explanation and not a riddle.
 */
import { strangerOf, tlsFirstByte } from "../net/tls-failure.ts";
import { errorLine } from "./words.ts";

/** The first byte of a trunk (see TRUNK_MAGIC). */
export const trunkFirstByte = 0x00;

/** A fatal TLS alert, handshake_failure (RFC 8446, 6): a TLS client reports it instead of "wrong version number". */
const TLS_ALERT = new Uint8Array([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28]);

const ADDRESSED = "connect with rtchat client, or send JSON lines";

/** What a stranger is told, by its first bytes; undefined for whoever may be a client. */
export function answerToStranger(first: Uint8Array): Uint8Array | undefined {
  if (first[0] === tlsFirstByte) return TLS_ALERT;
  if (first[0] === trunkFirstByte) {
    return errorLine("not-a-client", "this is no server that takes trunks; name the servers as backends");
  }
  const { code, detail } = strangerOf(first);
  if (code === "http") {
    const line = errorLine("not-a-client", `this port speaks chat, not HTTP; ${ADDRESSED}`);
    const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${line.length}\r\n`;
    return Buffer.concat([Buffer.from(`${head}Connection: close\r\n\r\n`), line]);
  }
  if (detail === "an SSH client") {
    return errorLine("not-a-client", `this port speaks chat, not SSH; ${ADDRESSED}`);
  }
  return undefined;
}
