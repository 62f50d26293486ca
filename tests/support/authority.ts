/** A certificate authority for a test: certificates that are real, and trusted by nobody who does not ask for them. */
import "reflect-metadata"; // @peculiar/x509 needs it loaded first.
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 24 * 3_600_000;

/** A certificate with its key, PEM texts, and its SHA-256 in hex. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
  readonly fingerprint: string;
}

/** An authority. */
export interface Authority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  /** A certificate for DNS names. @param endsInMs from now; negative for one that has ended */
  issue(names: readonly string[], endsInMs?: number): Promise<Issued>;
}

const newKeys = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);

async function pemOf(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der.replaceAll(/(.{64})/g, "$1\n").trimEnd()}\n-----END PRIVATE KEY-----\n`;
}

/** A certificate that nobody vouches for but itself, for DNS names. */
export async function selfSigned(names: readonly string[]): Promise<Issued> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=a server of a test",
    notBefore: new Date(Date.now() - 90 * DAY_MS),
    notAfter: new Date(Date.now() + 90 * DAY_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns", value })))],
  });
  return issuedOf(certificate, keys);
}

async function issuedOf(certificate: X509Certificate, keys: CryptoKeyPair): Promise<Issued> {
  return {
    cert: certificate.toString("pem"),
    key: await pemOf(keys.privateKey),
    fingerprint: Buffer.from(await certificate.getThumbprint("SHA-256")).toString("hex"),
  };
}

/** Makes an authority. */
export async function newAuthority(): Promise<Authority> {
  const keys = await newKeys();
  const dates = (endsInMs: number) => ({
    notBefore: new Date(Date.now() - 90 * DAY_MS),
    notAfter: new Date(Date.now() + endsInMs),
  });
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=an authority of a test",
    ...dates(DAY_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  let serial = 1;
  return {
    cert: root.toString("pem"),
    async issue(names, endsInMs = DAY_MS) {
      const own = await newKeys();
      serial += 1;
      const certificate: X509Certificate = await X509CertificateGenerator.create({
        serialNumber: serial.toString(16).padStart(2, "0"),
        subject: "CN=a server of a test",
        issuer: root.subject,
        ...dates(endsInMs),
        signingAlgorithm: algorithm,
        signingKey: keys.privateKey,
        publicKey: own.publicKey,
        extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns", value })))],
      });
      return issuedOf(certificate, own);
    },
  };
}
