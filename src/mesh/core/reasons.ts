/**
 * Named reasons: why something was refused, held back or closed.
 *
 * One table for code, `/why` and PROTOCOL.md (a test keeps the two equal). `fate` says what happens to the thing that
 * was refused and to the link it came over: `answer` is told to the caller only, `hold` keeps it for later, `drop` drops it
 * and counts a fault, `close` also ends the link, because no honest peer of this version can do it.
 */

/** What becomes of the refused thing and of its link. */
export type Fate = "answer" | "hold" | "drop" | "close";

/** Every reason. */
export const reasons = {
  // Frames
  "frame-too-large": { fate: "close", text: "a frame is larger than allowed" },
  "bad-frame": { fate: "close", text: "a frame is cut short, has bytes left over or breaks its own format" },
  "unknown-frame": { fate: "drop", text: "a frame has a type that this version does not know" },
  "flood-frames": { fate: "drop", text: "frames come faster than allowed" },
  "flood-bytes": { fate: "drop", text: "frames bring more bytes than allowed" },
  "flood-entries": { fate: "drop", text: "entries come unasked faster than allowed" },
  "flood-pages": { fate: "drop", text: "pages are asked for faster than allowed" },
  flood: { fate: "close", text: "the flood did not stop" },
  "page-timeout": { fate: "drop", text: "a page was not answered in time" },
  "empty-promise": { fate: "drop", text: "entries were claimed but not delivered" },
  // Entries
  "bad-entry": { fate: "close", text: "an entry breaks the format, or its body does not fit its kind" },
  "bad-signature": { fate: "close", text: "an entry's signature does not fit its author and mesh" },
  "bad-chain": {
    fate: "close",
    text: "an entry's number does not follow its previous entry, or that is another's",
  },
  "clock-order": { fate: "close", text: "an entry claims to be older than what it builds on" },
  "not-admitted": { fate: "close", text: "a chain starts without naming the entry that admitted its author" },
  "clock-ahead": { fate: "hold", text: "an entry's clock is too far ahead; it is held back until then" },
  "too-many-chains": { fate: "drop", text: "an author has started too many chains" },
  "bad-transfer": {
    fate: "drop",
    text: "a file was sent, or asked for, otherwise than offered and accepted",
  },
  // Links and callers
  "not-a-member": { fate: "close", text: "the key is not a member of this mesh" },
  "removed-member": { fate: "close", text: "the key was removed from this mesh" },
  "own-key": { fate: "answer", text: "the key is this device's own" },
  "bad-text": { fate: "answer", text: "the text, name or address cannot be used" },
  "not-authorised": { fate: "answer", text: "only founder and admins may do that" },
  "too-many-members": { fate: "answer", text: "the mesh is full" },
  "already-member": { fate: "answer", text: "the key is a member already" },
  "already-founded": { fate: "answer", text: "the mesh has its first entry" },
  "no-previous": { fate: "answer", text: "nothing can be written before the mesh's log arrived" },
  "store-failed": { fate: "answer", text: "the log could not be written to disk" },
} as const satisfies Record<string, { fate: Fate; text: string }>;

/** Name of a reason, stable across versions. */
export type ReasonCode = keyof typeof reasons;

/** A refused call. */
export function refusal(
  code: ReasonCode,
  message: string,
): { readonly ok: false; readonly code: ReasonCode; readonly message: string } {
  return { ok: false, code, message };
}
