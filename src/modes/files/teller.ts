/**
 * What a person hears of files: a line when something is decided or ends, and how far everything is meanwhile.
 *
 * For chats over which files can go: a mesh of peers, or clients that a server has brought together.
 */
import type { ClientListener, Task } from "../../client/events.ts";
import type { TransferState, TransferView } from "../../mesh/transfer/transfer.ts";
import type { Words } from "../../tui/language/words.ts";
import { formatBytes, percent } from "../../tui/progress.ts";

/** What it needs. */
export interface FileTellerOptions {
  readonly words: Words;
  /** What to call a peer. Holds no control characters. */
  nameOf(peer: string): string;
  readonly emit: ClientListener;
}

/** See above. */
export class FileTeller {
  readonly #options: FileTellerOptions;
  readonly #states = new Map<number, TransferState>();
  /** Those that have moved in this run: what follows a cut goes on, and does not begin. */
  readonly #begun = new Set<number>();
  readonly #tasks = new Map<number, Task>();

  constructor(options: FileTellerOptions) {
    this.#options = options;
  }

  /** A transfer has changed. */
  hear(view: TransferView): void {
    const before = this.#states.get(view.number);
    this.#states.set(view.number, view.state);
    if (before !== view.state) {
      const lines = this.#lines(view, before);
      const warning = view.state === "stopped" && view.stopped?.by === "them";
      if (lines.length > 0) this.#options.emit({ kind: "told", lines, warning });
    }
    this.#progress(view);
    if (view.state !== "done" && view.state !== "stopped") return;
    this.#states.delete(view.number);
    this.#begun.delete(view.number);
  }

  #progress({ number, state, name, done, size }: TransferView): void {
    const isMoving = state === "running" || state === "reading";
    if (!isMoving && !this.#tasks.has(number)) return;
    if (isMoving) this.#tasks.set(number, { key: String(number), name, done, total: size });
    else this.#tasks.delete(number);
    this.#options.emit({ kind: "progress", tasks: [...this.#tasks.values()] });
  }

  #lines(view: TransferView, before: TransferState | undefined): string[] {
    const { words } = this.#options;
    const { files, locale } = words;
    const { number, name, direction, state } = view;
    const nick = this.#options.nameOf(view.peer);
    const size = formatBytes(view.size, locale);
    switch (state) {
      case "reading":
        return [];
      case "offered":
        return [
          direction === "in"
            ? files.offered(nick, name, size, number)
            : files.youOffer(nick, name, size, number),
        ];
      case "waiting":
        return before === "running" ? [files.cut(nick, name)] : [];
      case "running": {
        const isBegun = this.#begun.has(number) || view.done > 0;
        this.#begun.add(number);
        if (isBegun) return [files.goesOn(name, percent(view.done, view.size))];
        return [direction === "in" ? files.receiving(nick, name) : files.accepted(nick, name)];
      }
      case "done":
        return [direction === "in" ? files.received(nick, name, view.path ?? name) : files.sent(nick, name)];
      case "stopped": {
        const reason = reasonOf(view, words);
        return [
          direction === "in" ? files.notReceived(nick, name, reason) : files.notSent(nick, name, reason),
        ];
      }
    }
  }
}

/** Why a transfer stopped, in words; the system's own where there are some. */
function reasonOf({ stopped }: TransferView, { files }: Words): string {
  if (stopped === undefined) return files.stopped;
  const { code, by, detail } = stopped;
  const table: Readonly<Record<string, string>> = by === "us" ? files.youStopped : files.theyStopped;
  const sentence = Object.hasOwn(table, code) ? (table[code] ?? files.stopped) : files.stopped;
  return detail === undefined ? sentence : `${sentence} (${detail})`;
}
