/**
 * Picking the messages that have some words out of a log that is read from the newest down, as they are now: a message
 * that was edited is found by its present text, one that was taken back is not found.
 *
 * Changes of a message come after it in the log, so whoever reads downwards has seen them all when it comes to the
 * message. Whoever begins further below shows the sieve what is above first ({@link Sieve.note}).
 */
import type { Message } from "./messages.ts";
import { nameKey } from "./names.ts";
import { foldText, hasWords } from "./search.ts";
import type { Wanted } from "./search.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message's fields as a log keeps them. */
export type StoredFields = Pick<Message, "room" | "from" | "text" | "re">;

/** Reads the fields of a stored body: JSON without braces, of a server's own making. */
export function readFields(body: Uint8Array): StoredFields {
  return JSON.parse(`{${decoder.decode(body)}}`) as StoredFields;
}

/** What became of a message: taken back, or its text now. */
export interface LastChange {
  readonly deleted: boolean;
  /** The edit that counts; undefined if there was none. */
  readonly text: string | undefined;
  /** Seq of that edit. */
  readonly by: number;
}

/** An entry of a log. */
interface Entry {
  readonly seq: number;
  readonly body: Uint8Array;
}

const ABOUT = new TextEncoder().encode('"re":{"kind":"');

/** Whether an entry may be about another one, without parsing it. */
export function mayBeChange(body: Uint8Array): boolean {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(ABOUT);
}

/** What a change costs beside its text. */
const CHANGE_BYTES = 100;

export class Sieve {
  readonly #wanted: Wanted;
  readonly #changes = new Map<number, LastChange>();
  #bytes = 0;

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
  }

  /** About what the changes take up, bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Messages that were changed by what was shown so far. */
  get changes(): ReadonlyMap<number, LastChange> {
    return this.#changes;
  }

  /** Takes in what an entry changes. */
  note({ seq, body }: Entry): void {
    if (mayBeChange(body)) this.#note(seq, readFields(body));
  }

  #note(seq: number, { re, text }: StoredFields): void {
    if (re === undefined || (re.kind !== "edit" && re.kind !== "delete")) return;
    if (!this.#changes.has(re.seq)) this.#bytes += CHANGE_BYTES;
    const known = this.#changes.get(re.seq) ?? { deleted: false, text: undefined, by: 0 };
    if (re.kind === "delete") this.#changes.set(re.seq, { ...known, deleted: true });
    else if (seq > known.by) {
      this.#changes.set(re.seq, { ...known, text, by: seq });
      this.#bytes += text.length - (known.text?.length ?? 0);
    }
  }

  /**
   * Looks at an entry.
   * @param known what is known of it from elsewhere, for those below what was shown
   * @returns its body as it is now, if it is a message that has the words
   */
  look({ seq, body }: Entry, known?: LastChange): Uint8Array | undefined {
    const fields = readFields(body);
    this.#note(seq, fields);
    if (fields.re !== undefined && fields.re.kind !== "reply") return undefined;
    const change = this.#changes.get(seq);
    if (change?.deleted === true || known?.deleted === true) return undefined;
    const text = change?.text ?? known?.text;
    const { from, words } = this.#wanted;
    if (from !== undefined && nameKey(fields.from) !== from) return undefined;
    if (!hasWords(foldText(text ?? fields.text), words)) return undefined;
    return text === undefined ? body : encoder.encode(JSON.stringify({ ...fields, text }).slice(1, -1));
  }
}
