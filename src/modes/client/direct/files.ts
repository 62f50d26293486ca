/**
 * Files over the direct paths of a client. Each path has transfers of its own, with numbers of its own; here they get
 * numbers that are good for all, in the order in which they are first heard of.
 */
import type { TransferView } from "../../../mesh/transfer/transfer.ts";
import { nameKey } from "../../../protocol/names.ts";
import { sanitizeLine } from "../../../protocol/sanitize.ts";
import type { Words } from "../../../tui/language/words.ts";
import type { FileParties } from "../../files/commands.ts";
import type { Pair } from "./pair.ts";
import type { Partner } from "./partner.ts";
import type { DirectPaths } from "./paths.ts";

/** A transfer of one path. */
interface Numbered {
  readonly path: Pair;
  readonly number: number;
}

/** See above. */
export class DirectFiles implements FileParties {
  readonly #paths: DirectPaths;
  readonly #words: Words;
  readonly #ownNick: () => string;
  /** By number - 1. */
  readonly #all: Numbered[] = [];
  /** What those are called with whom there were transfers, by key. */
  readonly #names = new Map<string, string>();

  constructor(paths: DirectPaths, words: Words, ownNick: () => string) {
    this.#paths = paths;
    this.#words = words;
    this.#ownNick = ownNick;
  }

  readonly exchange: FileParties["exchange"] = {
    offer: (peer, file) => {
      const path = this.#pathTo(peer)?.path;
      const offered = path?.files.offer(peer, file) ?? "no-such-transfer";
      return typeof offered === "number" && path !== undefined ? this.#numberOf(path, offered) : offered;
    },
    accept: (number) => this.#do(number, (files, own) => files.accept(own)),
    cancel: (number) => this.#do(number, (files, own) => files.cancel(own)),
    list: () =>
      this.#paths.partners.flatMap(({ path, nick }) =>
        path === undefined ? [] : path.files.list().map((view) => this.hear(path, nick, view)),
      ),
  };

  find(name: string): ReturnType<FileParties["find"]> {
    const nick = name.replace(/^@/, "").replace(/\?$/, "");
    const partner = this.#paths.find(nick);
    if (partner?.path !== undefined) {
      const { path, nick: shown } = partner;
      return { peer: path.partner, nick: shown, reach: path.isLinked ? "direct" : "none" };
    }
    const isOwn = nameKey(nick) === nameKey(this.#ownNick());
    return isOwn ? { peer: "", nick, reach: "self" } : { problem: this.#words.direct.filesFirst(nick) };
  }

  reachable(): readonly string[] {
    return this.#paths.partners.flatMap(({ path }) => (path?.isLinked === true ? [path.partner] : []));
  }

  nameOf(peer: string): string {
    return sanitizeLine(this.#pathTo(peer)?.nick ?? this.#names.get(peer) ?? "?");
  }

  /** A path's transfer, under the number that is good for all. @param nick whose it is, also when the path is over */
  hear(path: Pair, nick: string, view: TransferView): TransferView {
    this.#names.set(view.peer, nick);
    return { ...view, number: this.#numberOf(path, view.number) };
  }

  #pathTo(peer: string): Partner | undefined {
    return this.#paths.partners.find(({ path }) => path?.partner === peer);
  }

  #do<Result>(
    number: number,
    act: (files: Pair["files"], own: number) => Result,
  ): Result | "no-such-transfer" {
    const found = this.#all[number - 1];
    return found === undefined ? "no-such-transfer" : act(found.path.files, found.number);
  }

  #numberOf(path: Pair, number: number): number {
    const known = this.#all.findIndex((one) => one.path === path && one.number === number);
    if (known !== -1) return known + 1;
    return this.#all.push({ path, number });
  }
}
