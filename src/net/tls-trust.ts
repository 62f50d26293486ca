/**
 * TLS towards a server: whether whoever answers is whom a person wanted to reach.
 *
 * Either the certificate leads to an authority that is trusted (the system's, or one that was named) and is made out for
 * the host that was dialled; or it is the very certificate whose fingerprint was given, whatever it says of itself. Nothing
 * is sent before that is clear.
 */
import type { Connection, ConnectionHandlers } from "./connection.ts";
import type { Endpoint } from "./listener.ts";
import { isIP } from "node:net";
import { isFinished } from "./tls-failure.ts";

/** Whom to believe. */
export interface TlsTrust {
  /** PEM: these authorities, or this very certificate, instead of the system's authorities. */
  readonly ca?: string | undefined;
  /** SHA-256 of the certificate, 64 hex digits in lower case: this one and no other. */
  readonly pin?: string | undefined;
}

/** TLS 1.2 as Bun wants it. */
const tls12 = 0x0303;

/** What Bun is to check. A host is checked against the certificate by its name; an IP address goes into no SNI. */
export function tlsOptionsOf({ ca, pin }: TlsTrust, to: Endpoint) {
  return {
    minVersion: tls12,
    rejectUnauthorized: pin === undefined,
    ...(ca === undefined ? {} : { ca }),
    ...("host" in to && isIP(to.host) === 0 ? { serverName: to.host } : {}),
  };
}

/** A fingerprint as people copy it, with colons or without, as {@link TlsTrust} wants it; undefined for anything else. */
export function parsePin(text: string): string | undefined {
  const pin = text.replaceAll(":", "").toLowerCase();
  return /^[0-9a-f]{64}$/.test(pin) ? pin : undefined;
}

/** What becomes of a handshake: one of the two, once. */
interface Verdict {
  open(): void;
  /** @param code `TLS_UNTRUSTED`, `TLS_HOST`, `TLS_EXPIRED`, `TLS_PIN`, `TLS_NONE` or `TLS_FAILED` */
  refuse(code: string, reason: string): void;
}

/** What a handshake has to do with of its connection. */
interface Shaken extends Pick<Connection, "terminate"> {
  readonly socket: { getPeerCertificate(): { readonly fingerprint256: string } | null };
}

/** Handles a connection until the other side has proved who it is. */
export class Handshake implements ConnectionHandlers {
  readonly #connection: Shaken;
  readonly #trust: TlsTrust;
  readonly #verdict: Verdict;

  constructor(connection: Shaken, trust: TlsTrust, verdict: Verdict) {
    this.#connection = connection;
    this.#trust = trust;
    this.#verdict = verdict;
  }

  handshake(ok: boolean, error: Error | null): void {
    const { pin } = this.#trust;
    const certificate = this.#connection.socket.getPeerCertificate()?.fingerprint256;
    if (certificate === undefined || (!ok && error === null) || !isFinished(error)) {
      this.#refuse(...explain(error));
    } else if (pin !== undefined) {
      const shown = parsePin(certificate) ?? "";
      if (shown === pin) this.#verdict.open();
      else this.#refuse("TLS_PIN", `its certificate is another one, with SHA-256 ${shown}`);
    } else if (ok && error === null) this.#verdict.open();
    else this.#refuse(...explain(error));
  }

  data(): void {
    // Nobody speaks before the handshake is over.
  }

  close(_end: string, error?: Error): void {
    this.#verdict.refuse(...explain(error ?? null));
  }

  #refuse(code: string, reason: string): void {
    this.#verdict.refuse(code, reason);
    this.#connection.terminate();
  }
}

function explain(error: Error | null): [code: string, reason: string] {
  const code = error !== null && "code" in error ? String(error.code) : "";
  const detail = error?.message ?? "";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return ["TLS_HOST", "its certificate is made out for another name; check the address"];
  }
  if (code === "CERT_HAS_EXPIRED") {
    return ["TLS_EXPIRED", "its certificate has ended; whoever runs it must renew it"];
  }
  // A chat port without TLS answers a handshake with this alert.
  if (/WRONG_VERSION_NUMBER|HTTP_REQUEST|ALERT_HANDSHAKE_FAILURE/.test(detail)) {
    return ["TLS_NONE", "it takes no TLS; connect without, or check the port"];
  }
  if (/SELF_SIGNED|UNABLE_TO|CERT_|DEPTH_ZERO/.test(code)) {
    return ["TLS_UNTRUSTED", "nobody we trust vouches for its certificate; name its authority with --tls-ca"];
  }
  return ["TLS_FAILED", `the TLS handshake failed${detail === "" ? "" : `: ${detail}`}`];
}
