/**
 * Why a TLS connection did not come about, named.
 *
 * The system and BoringSSL speak in error codes that tell a person nothing about what to do. This table turns what was
 * seen (an errno, a TLS error, the first bytes of a stranger) into one stable code; the sentences for people belong to
 * whoever shows them. Pure, so that every row can be tested without a network.
 */

/** Stable names of what went wrong before a connection was usable. */
export type TlsFailureCode =
  | "refused" // Nothing listens there.
  | "unreachable" // No route, or the network is down.
  | "no-such-host" // The name does not resolve.
  | "connect-timeout" // No answer to the connection attempt.
  | "not-tls" // Bytes that are no TLS at all.
  | "http" // An HTTP request or answer.
  | "chat-line" // A client of the line protocol.
  | "old-tls" // TLS below 1.3.
  | "no-certificate" // TLS, but they showed no certificate.
  | "tls-failed" // Any other broken handshake.
  | "closed-early" // They closed during the handshake.
  | "handshake-timeout" // The handshake did not finish in time.
  | "too-many-pending" // More strangers at the door than we let wait.
  | "local-limit"; // This process has no descriptors left.

/** A failure with the system's own words, for the curious and for logs. */
export interface TlsFailure {
  readonly code: TlsFailureCode;
  readonly detail: string;
}

const byErrno: Readonly<Record<string, TlsFailureCode>> = {
  ECONNREFUSED: "refused",
  ENETUNREACH: "unreachable",
  EHOSTUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  ENETDOWN: "unreachable",
  EACCES: "unreachable",
  EPERM: "unreachable",
  ENOTFOUND: "no-such-host",
  EAI_AGAIN: "no-such-host",
  DNS_ENOTFOUND: "no-such-host",
  ETIMEDOUT: "connect-timeout",
  EMFILE: "local-limit",
  ENFILE: "local-limit",
  ECONNRESET: "closed-early",
  EPIPE: "closed-early",
};

/** The failure for an error from connecting or from the handshake callback. */
export function failureOf(error: unknown): TlsFailure {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const message = error instanceof Error ? error.message : String(error);
  if (/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION/.test(message)) return { code: "old-tls", detail: message };
  if (/HTTP_REQUEST|HTTPS_PROXY_REQUEST/.test(message)) return { code: "http", detail: message };
  if (/WRONG_VERSION_NUMBER|UNEXPECTED_MESSAGE|UNEXPECTED_RECORD/.test(message))
    return { code: "not-tls", detail: message };
  return { code: byErrno[code] ?? "tls-failed", detail: code === "" ? message : `${code}: ${message}` };
}

/** The codes of X.509 (openssl-verify(1)), as Bun gives them. */
const aboutCertificate =
  /^(UNABLE_TO_|CERT_|CRL_|ERROR_IN_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|PATH_LENGTH_|HOSTNAME_|ERR_TLS_CERT_)/;

/**
 * What a client's handshake callback was given says no more than that nobody vouches for the certificate; the handshake
 * itself is finished. Without that, the certificate that a socket shows proves nothing: it is there as soon as it came,
 * before the other side has proved that it holds the key, and stays there when it does not.
 */
export function isFinished(error: Error | null): boolean {
  return error === null || ("code" in error && aboutCertificate.test(String(error.code)));
}

/** First byte of every TLS connection: a handshake record (RFC 8446, 5.1). */
export const tlsFirstByte = 0x16;

/** What a stranger speaks who does not begin with {@link tlsFirstByte}, by the first bytes. */
export function strangerOf(first: Uint8Array): TlsFailure {
  const head = Buffer.from(first.subarray(0, 16)).toString("latin1");
  if (/^(GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PRI) /.test(head)) {
    return { code: "http", detail: "an HTTP request" };
  }
  if (head.startsWith("{")) return { code: "chat-line", detail: "a line of the client protocol" };
  if (head.startsWith("\0rt1")) return { code: "not-tls", detail: "a balancer's trunk" };
  if (head.startsWith("SSH-")) return { code: "not-tls", detail: "an SSH client" };
  return { code: "not-tls", detail: "bytes that are not TLS" };
}

/** A last word in the stranger's own protocol, where it has one that a person would see. */
export function farewellTo(failure: TlsFailure, hint: string): string {
  if (failure.code === "http") {
    const body = `${hint}\n`;
    const head =
      "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n";
    return `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }
  if (failure.code === "chat-line")
    return `${JSON.stringify({ type: "error", code: "not-a-client", message: hint })}\n`;
  return "";
}
