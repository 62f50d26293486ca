/**
 * The certificate by which clients know a server or a balancer, from two files that an operator names.
 *
 * Certificates are renewed every few weeks by programs that just replace the files. So they are looked at again while
 * clients come, and when somebody asks until when the certificate is good: what has changed and is right serves from
 * then on, what is wrong is logged once and changes nothing. Both are read and compared with each other before they are
 * used, because a key that does not fit would be noticed by every client, and by nobody here. One that nobody renews is
 * told too, once when its end is near and once when it has ended.
 *
 * Invariant: `current` is a certificate and its own key.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Clock } from "../protocol/clock.ts";
import { tlsLimits } from "../protocol/limits.ts";
import type { Logger } from "../protocol/logger.ts";
import { type Validity, type ValidityState, validityState } from "../protocol/validity.ts";

/** What is wrong with the files; the message names the file and says what to do. */
export class TlsFilesError extends Error {
  override readonly name = "TlsFilesError";
}

/** Where they are. */
export interface TlsFileNames {
  /** PEM: the certificate, then those that lead from it to its authority. */
  readonly cert: string;
  /** PEM, not encrypted. */
  readonly key: string;
}

/** A certificate and its key as PEM texts. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/** See the head of this file. */
export class TlsFiles {
  readonly #names: TlsFileNames;
  readonly #clock: Clock;
  readonly #log: Logger;
  #pair: TlsPair;
  #validity: Validity;
  /** Of the end of this certificate, what has been told. */
  #told: ValidityState = "good";
  /** Of the files as they were read last, right or wrong. */
  #stamp: string;
  #lookedAt: number;

  /** @throws TlsFilesError */
  constructor(names: TlsFileNames, clock: Clock, log: Logger) {
    this.#names = names;
    this.#clock = clock;
    this.#log = log;
    // Before reading: what is replaced meanwhile is found changed at the next look.
    this.#stamp = stampOf(names);
    this.#lookedAt = clock.monotonic();
    const { pair, validity } = readPair(names, clock.now());
    this.#pair = pair;
    this.#validity = validity;
    this.#tell();
  }

  /** What to show to whoever comes now. */
  get current(): TlsPair {
    this.#look();
    return this.#pair;
  }

  /** When what is shown now is good. */
  get validity(): Validity {
    this.#look();
    return this.#validity;
  }

  #look(): void {
    if (this.#clock.monotonic() - this.#lookedAt < tlsLimits.lookMs) return;
    this.#lookedAt = this.#clock.monotonic();
    const stamp = stampOf(this.#names);
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#readAgain();
    }
    this.#tell();
  }

  #readAgain(): void {
    try {
      const { pair, validity } = readPair(this.#names, this.#clock.now());
      this.#pair = pair;
      this.#validity = validity;
      this.#told = "good";
      this.#log.info("the certificate was read again", {
        file: this.#names.cert,
        until: validity.notAfter,
      });
    } catch (error) {
      if (!(error instanceof TlsFilesError)) throw error;
      this.#log.error(`the certificate stays as it was: ${error.message}`);
    }
  }

  #tell(): void {
    const state = validityState(this.#validity, this.#clock.now());
    if (state === this.#told) return;
    this.#told = state;
    const fields = { file: this.#names.cert, until: this.#validity.notAfter };
    if (state === "ending") this.#log.warn("the certificate ends soon; renew it", fields);
    if (state === "ended") this.#log.error("the certificate has ended, clients refuse it; renew it", fields);
  }
}

/** Changes whenever one of the files does. */
function stampOf({ cert, key }: TlsFileNames): string {
  const one = (file: string): string => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat === undefined ? "none" : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
  };
  try {
    return `${one(cert)}, ${one(key)}`;
  } catch {
    // A folder that may not be entered: reading says so.
    return "unreadable";
  }
}

function readPair({ cert, key }: TlsFileNames, now: number): { pair: TlsPair; validity: Validity } {
  const pair = { cert: read(cert), key: read(key) };
  const certificate = attempt(
    () => new X509Certificate(pair.cert),
    `${cert} is not a certificate; give the PEM file that begins with -----BEGIN CERTIFICATE-----`,
  );
  const privateKey = attempt(
    () => createPrivateKey(pair.key),
    `${key} is not a private key that can be used; give an unencrypted PEM file`,
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new TlsFilesError(`${key} is not the key of ${cert}; give the two files that were made together`);
  }
  const validity = { notBefore: iso(certificate.validFrom), notAfter: iso(certificate.validTo) };
  if (validityState(validity, now) === "ended") {
    throw new TlsFilesError(`${cert} ended on ${validity.notAfter.slice(0, 10)}; renew it`);
  }
  return { pair, validity };
}

/** A time as OpenSSL writes it, such as `Nov 23 00:50:37 2026 GMT`. */
const iso = (time: string): string => new Date(time).toISOString();

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const why: Readonly<Record<string, string>> = {
      ENOENT: "there is no such file; check its name",
      EACCES: "it may not be read; give this user permission",
      EISDIR: "it is a folder; name the file in it",
    };
    throw new TlsFilesError(`cannot read ${file}: ${why[code] ?? `${code}; check the file`}`, {
      cause: error,
    });
  }
}

function attempt<T>(run: () => T, message: string): T {
  try {
    return run();
  } catch (error) {
    throw new TlsFilesError(message, { cause: error });
  }
}
