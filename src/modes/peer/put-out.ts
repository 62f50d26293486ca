/**
 * Whether this device was put out of its mesh, and telling the person so.
 *
 * The log says it for certain. A device that was away when it happened does not get that part of the log any more: the
 * first member it reaches refuses it. That is one member's word, and a bad one could say it to everybody; so it counts
 * only as long as nobody else takes this device, and one link is proof of the contrary.
 *
 * Invariant: while `isOut`, nothing that is written here goes into the log, where it would look like all the rest.
 */
import type { PeerId } from "../../mesh/core/api.ts";
import type { MeshNode } from "../../mesh/node/node.ts";
import type { Words } from "../../tui/language/words.ts";

/** What it needs. */
export interface PutOutOptions {
  readonly node: MeshNode;
  readonly words: Words["peers"];
  readonly nameOf: (peerId: PeerId) => string;
  /** Messages of this run that nobody else has. */
  readonly unheld: () => number;
  /** Tells the person, as a warning. */
  readonly warn: (lines: readonly string[]) => void;
}

/** See above. */
export class PutOut {
  readonly #options: PutOutOptions;
  #saidBy: PeerId | undefined;
  #told = false;

  constructor(options: PutOutOptions) {
    this.#options = options;
  }

  get isOut(): boolean {
    return this.#removedBy !== undefined || (this.#saidBy !== undefined && !this.#isTaken);
  }

  /** What there is to say of it; undefined while this device is in. */
  get line(): string | undefined {
    const { words, nameOf } = this.#options;
    if (this.#removedBy !== undefined) return words.youRemoved(nameOf(this.#removedBy));
    return this.#saidBy === undefined ? undefined : words.saidRemoved(nameOf(this.#saidBy));
  }

  get #removedBy(): PeerId | undefined {
    const { core } = this.#options.node;
    return core.member(core.self)?.removedBy;
  }

  get #isTaken(): boolean {
    return this.#options.node.core.links().length > 0;
  }

  /** A member says so. */
  said(peerId: PeerId): void {
    this.#saidBy ??= peerId;
    this.#tell();
  }

  /** The log may say so. */
  look(): void {
    if (this.#removedBy !== undefined) this.#tell();
  }

  /** Somebody takes this device, or it is in another mesh. */
  taken(): void {
    this.#saidBy = undefined;
    this.#told = this.#removedBy !== undefined;
  }

  #tell(): void {
    const { line } = this;
    if (this.#told || line === undefined) return;
    this.#told = true;
    const { words, warn } = this.#options;
    const count = this.#options.unheld();
    warn(count === 0 ? [line] : [line, words.unread(count)]);
  }
}
