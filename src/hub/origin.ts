/** Where a session comes from, as its edge tells it. */

/** `10.0.0.1` of `10.0.0.1:4711`, `fe80::1` of `[fe80::1]:4711`. */
export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}
