/** The cluster's secret, and the operators', as a mode's flags name them. */
import { join } from "node:path";
import { Failure, UsageError } from "../cli/errors.ts";
import { clusterSecretFile, ClusterSecretError, loadClusterSecret } from "../identity/cluster-secret.ts";
import { readPrivateFile, type PrivateFileKind } from "../identity/private-file.ts";
import { operatorLimits } from "../protocol/limits.operators.ts";

/**
 * Reads the secret, making one in the data folder if no file is named. A file that an operator names must be there: a new
 * one would be a secret that nobody else has.
 * @throws Failure
 */
export function readClusterSecret(config: {
  readonly data: string;
  readonly clusterSecretFile: string | undefined;
}): Uint8Array {
  const named = config.clusterSecretFile;
  try {
    return loadClusterSecret(named ?? join(config.data, clusterSecretFile), named === undefined);
  } catch (error) {
    if (error instanceof ClusterSecretError) throw new Failure(error.message, "", { cause: error });
    throw error;
  }
}

const kind: PrivateFileKind = {
  what: "operators' secret",
  fail: (message) => new Failure(message),
  whenExposed: (path) => `run chmod 600 ${path}, or make a new secret if somebody may have read it`,
};

/**
 * Reads the operators' secret.
 * @throws Failure, UsageError
 */
export function readOperatorSecret(path: string): string {
  const secret = readPrivateFile(path, kind)?.trim();
  if (secret === undefined) {
    throw new Failure(
      `there is no operators' secret at ${path}`,
      `make one: (umask 077; head -c 24 /dev/urandom | base64 > ${path})`,
    );
  }
  const { secretLeast, secretMost } = operatorLimits;
  if (secret.length < secretLeast || secret.length > secretMost || /\s/.test(secret)) {
    throw new UsageError(
      `the operators' secret in ${path} is not one word of ${secretLeast} to ${secretMost} characters`,
      `make one: (umask 077; head -c 24 /dev/urandom | base64 > ${path})`,
    );
  }
  return secret;
}
