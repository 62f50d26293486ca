/** Where a disk that refuses must end one thing only, and not the process. */
import { StoreError } from "../core/store-error.ts";
import { StateFileError } from "../pairing/json-file.ts";

/** Runs what writes to disk. @param failed told why it could not be; the answer is then `internal`. Other errors go on. */
export function guarded<Result>(run: () => Result, failed: (message: string) => void): Result | "internal" {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof StoreError || error instanceof StateFileError)) throw error;
    failed(error.message);
    return "internal";
  }
}
