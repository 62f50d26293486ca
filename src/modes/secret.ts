/** The cluster's secret, as a mode's flags name it. */
import { join } from "node:path";
import { Failure } from "../cli/errors.ts";
import { clusterSecretFile, ClusterSecretError, loadClusterSecret } from "../identity/cluster-secret.ts";

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
