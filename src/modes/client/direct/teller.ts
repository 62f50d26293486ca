/** What people and programs are told of direct paths: lines in the person's language, and `p2p` objects. */
import type { ClientListener } from "../../../client/events.ts";
import type { PeerId } from "../../../identity/peer-id.ts";
import type { Words } from "../../../tui/language/words.ts";
import { pathKey, type Partner } from "./partner.ts";

/** What it needs. */
export interface TellerOptions {
  readonly words: Words;
  readonly emit: ClientListener;
  /** This machine's addresses are told to nobody. */
  readonly isHidden: boolean;
}

/** See above. Names are sanitised by whoever shows the lines. */
export class PathTeller {
  readonly #words: Words["direct"];
  readonly #emit: ClientListener;
  readonly #isHidden: boolean;

  constructor({ words, emit, isHidden }: TellerOptions) {
    this.#isHidden = isHidden;
    this.#words = words.direct;
    this.#emit = emit;
  }

  /** They ask; told to nobody who ignores them. */
  ring(partner: Partner): void {
    const { nick } = partner;
    this.#object(partner, "asks");
    this.#emit({ kind: "told", lines: [this.#words.asks(nick, this.#isHidden)], warning: false, from: nick });
  }

  /** They were asked. */
  asking(partner: Partner): void {
    this.#object(partner, "asked");
    this.#say(this.#words.asked(partner.nick));
  }

  state(partner: Partner, state: "agreed" | "declined" | "silent" | "waiting" | "over" | "off"): void {
    this.#object(partner, state);
    const line = this.#words[state](partner.nick);
    if (state === "waiting" || state === "over") this.#warn(line);
    else this.#say(line);
  }

  /** How they are reached now, and whose key it is. */
  path(partner: Partner): void {
    const { nick, path } = partner;
    const way = path?.path;
    if (path === undefined || way === undefined) return;
    partner.told = pathKey(way);
    const { partner: key, isVerified } = path;
    const address = way.address === undefined ? {} : { address: way.address };
    this.#object(partner, way.kind === "relay" ? "relay" : "direct", {
      ...address,
      key,
      verified: isVerified,
    });
    this.#say(
      way.address === undefined
        ? this.#words.relayed(nick)
        : this.#words.connected(nick, way.address, way.kind === "vpn"),
      isVerified ? this.#words.verified(nick) : this.#words.vouched(nick),
    );
  }

  /** They are called otherwise, and the path is still to them. */
  renamed(partner: Partner, before: string): void {
    this.#object(partner, "renamed", { before });
    this.#say(this.#words.renamed(before, partner.nick));
  }

  keyChanged(partner: Partner, format: (peerId: PeerId) => string, known: PeerId, found: PeerId): void {
    const { nick } = partner;
    this.#object(partner, "key-changed", { known, found });
    this.#warn(
      this.#words.keyChanged(nick),
      `  ${this.#words.knownKey} ${format(known)}`,
      `  ${this.#words.foundKey} ${format(found)}`,
      this.#words.keyAdvice(nick),
    );
  }

  ownKey(partner: Partner): void {
    this.#object(partner, "own-key");
    this.#warn(this.#words.ownKey(partner.nick));
  }

  failed(partner: Partner, reason: string): void {
    this.#object(partner, "failed", { reason });
    this.#warn(this.#words.failed(partner.nick, reason));
  }

  #object({ nick }: Partner, state: string, more: object = {}): void {
    this.#emit({ kind: "unknown", object: { type: "p2p", nick, state, ...more } });
  }

  #say(...lines: readonly string[]): void {
    this.#emit({ kind: "told", lines, warning: false });
  }

  #warn(...lines: readonly string[]): void {
    this.#emit({ kind: "told", lines, warning: true });
  }
}
