// The cluster's secret: what balancers and servers of one cluster know and nobody else does.
//
// With it an edge and a hub prove to each other that they belong together, and any server honours the resume tokens of
// any other. On one machine it is made in the data directory by whoever starts first; on several, an operator copies the
// file and names it with --cluster-secret-file.
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, createPrivateFile, readPrivateFile, type PrivateFileKind } from "./private-file.ts";

/** Name of the secret's file in the data directory. */
export const clusterSecretFile = "cluster.secret";

/** 256 bits, as long as the hash that uses it. */
const SECRET_BYTES = 32;

/** Why there is no usable secret; the message says what to do. */
export class ClusterSecretError extends Error {
  override name = "ClusterSecretError";
}

const kind: PrivateFileKind = {
  what: "cluster secret",
  fail: (message) => new ClusterSecretError(message),
  whenExposed: (path) =>
    `run chmod 600 ${path}, or remove it and restart all servers and balancers if somebody may have read it`,
};

/**
 * Loads the secret at `path`, making one when there is none and `create` allows it.
 * @returns 32 bytes
 * @throws ClusterSecretError when there is none, it is damaged, can be read by others, or cannot be made
 */
export function loadClusterSecret(path: string, create: boolean): Uint8Array {
  const existing = readPrivateFile(path, kind);
  if (existing !== undefined) return parse(path, existing);
  if (!create)
    throw new ClusterSecretError(`there is no cluster secret at ${path}: copy it from another machine`);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    createPrivateFile(path, `${randomBytes(SECRET_BYTES).toString("hex")}\n`);
  } catch (error) {
    throw new ClusterSecretError(
      `cannot make the cluster secret ${path} (${codeOf(error)}): check the folder, or choose another with --data`,
    );
  }
  const made = readPrivateFile(path, kind);
  if (made === undefined)
    throw new ClusterSecretError(`the cluster secret ${path} vanished while it was read: start again`);
  return parse(path, made);
}

function parse(path: string, text: string): Uint8Array {
  const hex = text.trim();
  if (!/^[0-9a-f]{64}$/.test(hex)) {
    throw new ClusterSecretError(
      `the cluster secret ${path} is damaged: copy it from another machine, or remove it and restart all servers and balancers`,
    );
  }
  return Buffer.from(hex, "hex");
}
