/**
 * How a client gets in, as the flags that a person can copy: where the cluster listens, and with TLS a way on which its
 * certificate will be believed.
 *
 * A client looks whether the certificate is made out for the host that it dials. So that host is taken from the certificate,
 * unless it is good for where we listen. One that nobody vouches for but itself, or that names no host, is told by its
 * fingerprint.
 */
import { X509Certificate } from "node:crypto";
import { formatServer, isLoopback, parseAddress } from "../../protocol/address.ts";
import { chatPort } from "../flags/common.ts";

/** Without TLS. @param listen host:port @returns no flag at all where clients look by themselves */
export function plainWayIn(listen: string): string {
  return listen === `127.0.0.1:${chatPort}` ? "" : `--connect ${listen}`;
}

/** With TLS. @param pem the certificate, then those that lead to its authority */
export function tlsWayIn(listen: string, pem: string): string {
  const { host, port } = parseAddress(listen);
  const certificate = new X509Certificate(pem);
  const to = (name: string) => `--connect ${formatServer({ host: name, port, tls: true })}`;
  const name = certificate.checkIssued(certificate) ? undefined : nameFor(host, certificate);
  if (name !== undefined) return to(name);
  return `${to(host)} --tls-pin ${certificate.fingerprint256.replaceAll(":", "").toLowerCase()}`;
}

/** A host to dial that the certificate is made out for: here, if that is one, else the first it has. */
function nameFor(host: string, certificate: X509Certificate): string | undefined {
  if (certificate.checkIP(host) !== undefined) return host;
  if (isLoopback(host) && certificate.checkHost("localhost") !== undefined) return "localhost";
  // Quoted names, which have commas, quotes or other oddities in them, are no hosts.
  const names = (certificate.subjectAltName ?? "").split(", ");
  return names.map((name) => /^DNS:([\w.-]+)$/.exec(name)?.[1]).find((name) => name !== undefined);
}
