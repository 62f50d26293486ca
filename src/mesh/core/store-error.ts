/** The store could not do what was asked: disk full, file damaged, in use by another process. Nothing was stored. */
export class StoreError extends Error {
  override name = "StoreError";
}
