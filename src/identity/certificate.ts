// The TLS face of an identity: a self-signed Ed25519 certificate, and the key found in a certificate somebody presents.
//
// The certificate is only a container that TLS asks for. Nothing in it is believed but the public key: TLS 1.3 itself
// proves, by the signature over the handshake, that the other side holds the private half. So names, serial numbers and
// the self-signature do not matter, and the validity spans all of X.509's time, because a wrong clock must not keep two
// people from talking. It is made afresh at each start and never stored.
import "reflect-metadata"; // @peculiar/x509 needs it loaded first.
import { X509CertificateGenerator } from "@peculiar/x509";
import { createPublicKey, X509Certificate } from "node:crypto";
import { rawPublicKey, type Identity } from "./key-file.ts";
import { peerIdOf, type PeerId } from "./peer-id.ts";

/** What a TLS socket needs to present an identity: PEM texts. `key` is the private key. */
export interface TlsCredentials {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed certificate for the identity's key, ready for TLS. */
export async function makeCredentials(identity: Identity): Promise<TlsCredentials> {
  const pkcs8 = identity.privateKey.export({ type: "pkcs8", format: "der" });
  const spki = createPublicKey(identity.privateKey).export({ type: "spki", format: "der" });
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=rtchat",
    notBefore: new Date("2000-01-01T00:00:00Z"),
    notAfter: new Date("9999-12-31T23:59:59Z"), // RFC 5280, 4.1.2.5: "no well-defined expiration date".
    signingAlgorithm: "Ed25519",
    keys: {
      privateKey: await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]),
      publicKey: await crypto.subtle.importKey("spki", spki, "Ed25519", true, ["verify"]),
    },
  });
  return {
    cert: certificate.toString("pem"),
    key: identity.privateKey.export({ type: "pkcs8", format: "pem" }),
  };
}

/**
 * The peer ID in a certificate as it came over TLS (DER).
 * @returns undefined when it cannot be read or its key is not Ed25519
 */
export function peerIdOfCertificate(der: Uint8Array): PeerId | undefined {
  try {
    const { publicKey } = new X509Certificate(der);
    return publicKey.asymmetricKeyType === "ed25519" ? peerIdOf(rawPublicKey(publicKey)) : undefined;
  } catch {
    return undefined;
  }
}
