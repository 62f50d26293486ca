/**
 * The invites this device has made: which tokens still let somebody in.
 *
 * Only hashes of tokens are kept, so that a copy of the file invites nobody. A token belongs to the first key that
 * shows it; the same key may show it again (its first answer may have been lost), another may not. Consuming is
 * written before the answer goes out. Old rows are dropped a while after they expired, so that the list stays small
 * and a late guest still hears "expired" and not "unknown".
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { isPeerId, type PeerId } from "../../identity/peer-id.ts";
import { inviteLimits } from "../../protocol/limits.peer.ts";

const rowsSchema = z.array(
  z.object({
    hash: z.string(),
    expiresAt: z.number(),
    usedBy: z.custom<PeerId>((value) => typeof value === "string" && isPeerId(value)).optional(),
  }),
);
type Row = z.infer<typeof rowsSchema>[number];

/** Where the rows are kept: a note of the mesh's store. */
export interface InviteNotes {
  read(): string | undefined;
  /** Durable when it returns; may throw. */
  write(text: string): void;
}

/** Tokens of one mesh. */
export class IssuedInvites {
  readonly #notes: InviteNotes;

  constructor(notes: InviteNotes) {
    this.#notes = notes;
  }

  /** Remembers a fresh token. Throws when that could not be written. */
  issue(token: Uint8Array, expiresAt: number, now: number): void {
    const rows = this.#rows().filter((row) => row.expiresAt + inviteLimits.rememberMs > now);
    rows.push({ hash: hashOf(token), expiresAt });
    this.#notes.write(JSON.stringify(rows.slice(-inviteLimits.issuedMost)));
  }

  /** Uses a token up for `guest`. Throws when that could not be written; the token is then unused. */
  redeem(
    token: Uint8Array,
    guest: PeerId,
    now: number,
  ): "ok" | "invite-unknown" | "invite-used" | "invite-expired" {
    const rows = this.#rows();
    const row = rows.find(({ hash }) => hash === hashOf(token));
    if (row === undefined) return "invite-unknown";
    if (row.usedBy === guest) return "ok";
    if (row.usedBy !== undefined) return "invite-used";
    if (row.expiresAt <= now) return "invite-expired";
    row.usedBy = guest;
    this.#notes.write(JSON.stringify(rows));
    return "ok";
  }

  #rows(): Row[] {
    const text = this.#notes.read();
    // A damaged note invites nobody; that is safe, and a new invite repairs it.
    try {
      return rowsSchema.safeParse(JSON.parse(text ?? "[]")).data ?? [];
    } catch {
      return [];
    }
  }
}

function hashOf(token: Uint8Array): string {
  return createHash("sha256").update("rtchat token\0").update(token).digest("base64url");
}
