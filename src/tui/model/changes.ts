/**
 * What later messages say about earlier ones: edits, deletions, reactions.
 *
 * They may come in any order relative to what they are about (a page of older messages comes after the edit of one of
 * them), so they are kept by the seq they are about, and the latest edit is that with the highest seq.
 */
import type { Message } from "../../protocol/messages.ts";
import { nameKey } from "../../protocol/names.ts";

/** Everything said about one message. */
export interface Change {
  /** The text instead of the original's; undefined if it was not edited. */
  readonly text: string | undefined;
  readonly deleted: boolean;
  /** Who reacted, by the key of the nick, with which emoji. */
  readonly reactions: ReadonlyMap<string, ReadonlySet<string>>;
  /** Rises with every change: whoever remembers how it looked compares this. */
  readonly version: number;
}

interface Kept {
  text: string | undefined;
  editedBy: number;
  deleted: boolean;
  readonly reactions: Map<string, Set<string>>;
  version: number;
}

/** True for a message that changes another one and is not shown itself. */
export function isChange({ re }: { readonly re?: Message["re"] | undefined }): boolean {
  return re !== undefined && re.kind !== "reply";
}

export class Changes {
  readonly #kept = new Map<number, Kept>();

  of(seq: number): Change | undefined {
    return this.#kept.get(seq);
  }

  apply(message: Message): void {
    const { re, text, seq, from } = message;
    if (re === undefined) return;
    let kept = this.#kept.get(re.seq);
    if (kept === undefined) {
      kept = {
        text: undefined,
        editedBy: Number.NEGATIVE_INFINITY,
        deleted: false,
        reactions: new Map(),
        version: 0,
      };
      this.#kept.set(re.seq, kept);
    }
    kept.version += 1;
    if (re.kind === "edit" && seq > kept.editedBy) {
      kept.text = text;
      kept.editedBy = seq;
    } else if (re.kind === "delete") kept.deleted = true;
    else if (re.kind === "reaction") {
      const who = kept.reactions.get(text) ?? new Set();
      kept.reactions.set(text, who);
      who.add(nameKey(from));
    }
  }

  /** See RoomLog.retire. */
  retire(by: number): void {
    const kept = [...this.#kept];
    this.#kept.clear();
    for (const [seq, change] of kept) {
      change.editedBy -= by;
      this.#kept.set(seq - by, change);
    }
  }

  forget(): void {
    this.#kept.clear();
  }
}
