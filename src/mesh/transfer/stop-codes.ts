/** Why a transfer ended without the file: one table, on the wire and for people. */

/** Code to what it means, said by the side that ends it. */
export const stopCodes = {
  refused: "the receiver did not want it",
  cancelled: "it was cancelled",
  "too-many": "too many offers or transfers are waiting there",
  "too-large": "the file is larger than allowed",
  "no-space": "there is not enough room on the receiver's disk",
  disk: "the disk of the side that stopped failed",
  changed: "the file is not any more what was offered",
  "wrong-hash": "what arrived is not what was offered; it was thrown away",
  "bad-chunk": "what was sent does not fit what was offered and asked for",
  unknown: "the other side knows nothing of this transfer",
  other: "for a reason that this version does not know",
} as const;

/** A code of {@link stopCodes}. */
export type StopCode = keyof typeof stopCodes;

/** True for a code that this version knows. */
export function isStopCode(code: string): code is StopCode {
  return Object.hasOwn(stopCodes, code);
}
