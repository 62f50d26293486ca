/** TLS for the clients of a server or a balancer, as the flags say. */
import { Failure, UsageError } from "../cli/errors.ts";
import type { SignalActions } from "../cli/lifecycle.ts";
import type { EdgeTls } from "../edge/newcomer.ts";
import { TlsFiles, TlsFilesError } from "../identity/tls-files.ts";
import { systemClock } from "../protocol/clock.ts";
import type { Logger } from "../protocol/logger.ts";
import type { Validity } from "../protocol/validity.ts";

/** TLS 1.2 as Bun wants it: what every system of the last ten years speaks. */
const tls12 = 0x0303;

/** The rows of tlsFlags, read. */
interface TlsConfig {
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsOnly: boolean;
}

/** TLS as an edge wants it, and when the certificate is good. */
export interface ClientTls {
  readonly edge: EdgeTls;
  /** Of the certificate as it is now, also after it was renewed. */
  readonly validity: () => Validity;
  /** PEM, as it is now. */
  readonly certificate: () => string;
}

/** What SIGHUP does where nothing is read again: what renews certificates often sends it, and must not end anything. */
export function ignoreHangUp(log: Logger): SignalActions {
  return {
    reload: () =>
      log.info("certificates are looked at without a signal; nothing else is read again at SIGHUP"),
  };
}

/** The day on which the certificate ends. */
export function lastDay(tls: ClientTls): string {
  return tls.validity().notAfter.slice(0, 10);
}

/**
 * Reads the certificate; undefined when none is named.
 * @throws UsageError for half a pair, Failure for files that will not do
 */
export function readClientTls(config: TlsConfig, log: Logger): ClientTls | undefined {
  const { tlsCert: cert, tlsKey: key, tlsOnly: required } = config;
  if (cert === undefined && key === undefined) {
    if (required) throw new UsageError("--tls-only without a certificate", "give --tls-cert and --tls-key");
    return undefined;
  }
  if (cert === undefined || key === undefined) {
    const [given, missing] = cert === undefined ? ["--tls-key", "--tls-cert"] : ["--tls-cert", "--tls-key"];
    throw new UsageError(`${given} without ${missing}`, "give both files");
  }
  try {
    const files = new TlsFiles({ cert, key }, systemClock, log);
    const options = () => ({ ...files.current, minVersion: tls12 });
    return {
      edge: { options, required },
      validity: () => files.validity,
      certificate: () => files.current.cert,
    };
  } catch (error) {
    if (error instanceof TlsFilesError) throw new Failure(error.message, "", { cause: error });
    throw error;
  }
}
