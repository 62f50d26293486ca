/**
 * Direct paths of one client: asking, being asked, agreeing, meeting, and leaving again.
 *
 * The order of what is disclosed, PROTOCOL.md ("Directly") fixes: who asks says nothing of themselves, who agrees says
 * the key, and addresses follow when both have agreed and the other's key is the one remembered, if one is. Introductions
 * may be lost with a server, so each is said again while nothing comes of it.
 *
 * Invariant: somebody for whom a path was agreed is written to over it, or not at all, until this person says otherwise:
 * what was meant for nobody else never goes through the server because something else broke.
 */
import type { Taken } from "../../../client/sender.ts";
import type { PlainRequest } from "../../../client/session.ts";
import type { PeerId } from "../../../identity/peer-id.ts";
import { StateFileError } from "../../../mesh/pairing/json-file.ts";
import type { Timer } from "../../../protocol/clock.ts";
import { directLimits } from "../../../protocol/limits.peer.ts";
import type { Introduction, Relay } from "../../../protocol/messages.ts";
import { nameKey } from "../../../protocol/names.ts";
import type { Answer, SendExtras } from "../../../tui/backend.ts";
import type { Pair, PairPath } from "./pair.ts";
import type { DirectParts } from "./parts.ts";
import { beginAnew, cardFor, pathKey, reasonOf, type Partner } from "./partner.ts";
import { openPair, relayId } from "./open-pair.ts";
import { Partners } from "./partners.ts";
import type { PathsOptions } from "./options.ts";
import { PathTeller } from "./teller.ts";

/** See above. */
export class DirectPaths {
  readonly #options: PathsOptions;
  readonly #teller: PathTeller;
  readonly #partners = new Partners();
  #parts: DirectParts | undefined;
  #loading: Promise<DirectParts> | undefined;
  /** Runs while there is anybody: a client without direct paths sleeps. */
  #timer: Timer | undefined;

  constructor(options: PathsOptions) {
    this.#options = options;
    this.#teller = new PathTeller(options);
  }

  /** Everybody with whom there is something, those who asked in vain too. */
  get partners(): readonly Partner[] {
    return this.#partners.all;
  }

  /** What was loaded for the first path; undefined before. */
  get parts(): DirectParts | undefined {
    return this.#parts;
  }

  /** Messages that nobody has yet. */
  get pending(): number {
    return this.partners.reduce((sum, { path }) => sum + (path?.pending ?? 0), 0);
  }

  /** The one of that nick, if there is something with them. */
  find(nick: string): Partner | undefined {
    return this.#partners.find(nick);
  }

  /**
   * Asks somebody for a path, or agrees to one they asked for. What comes of it is told by events.
   * @param done the server's answer, or why nothing was asked
   */
  async ask(nick: string, done: (answer: Answer) => void): Promise<void> {
    const { session, words, clock } = this.#options;
    if (nameKey(nick) === nameKey(session.nick)) {
      return done({ ok: false, code: "bad-message", message: words.direct.yourself });
    }
    const active = this.partners.filter(({ weAgree }) => weAgree).length;
    if (this.find(nick)?.weAgree !== true && active >= directLimits.pairsMost) {
      return done({ ok: false, code: "queue-full", message: words.direct.tooMany(directLimits.pairsMost) });
    }
    try {
      await this.#load();
    } catch (error) {
      return done({ ok: false, code: "internal", message: reasonOf(error) });
    }
    const partner = this.find(nick) ?? this.#add(nick);
    if (partner.weAgree && partner.path !== undefined) {
      this.#teller.path(partner);
      partner.path.hurry();
    }
    partner.weAgree = true;
    partner.isOver = false;
    partner.agreedAt = clock.monotonic();
    this.#introduce(partner, (answer) => {
      if (!answer.ok && partner.path === undefined) this.#partners.delete(partner);
      else if (partner.path === undefined && partner.askedAt === undefined) this.#teller.asking(partner);
      done(answer);
    });
  }

  /** Goes back to the server with somebody. @returns false if there was nothing to go back from */
  off(partner: Partner): boolean {
    if (!this.#partners.delete(partner)) return false;
    void this.#end(partner);
    this.#teller.state(partner, "off");
    return true;
  }

  /** Forgets the key remembered for a name. @returns false if there was none */
  async forget(nick: string): Promise<boolean> {
    const { device } = await this.#load();
    const forgotten = this.#options.scopes().map((scope) => device.known.forgetName(scope, nameKey(nick)));
    return forgotten.includes(true);
  }

  /** Writes to somebody over their path; undefined when the server is the way to them. */
  send(nick: string, id: string, text: string, extras: SendExtras | undefined): Taken | undefined {
    const partner = this.find(nick);
    if (partner?.isOver === true) {
      return { ok: false, code: "not-delivered", message: this.#options.words.direct.isOver(partner.nick) };
    }
    return partner?.path?.send(id, text, extras);
  }

  /** An introduction came. */
  introduced(said: Introduction): void {
    const known = this.#partners.whoSaid(said);
    if (said.end === true) {
      if (known !== undefined) this.#ended(known);
      return;
    }
    const partner = known ?? this.#add(said.nick);
    if (!this.#name(partner, said.nick)) return;
    if (partner.pair !== said.pair) {
      // A program that was started again has forgotten that it agreed, and so has the person perhaps.
      if (partner.pair !== undefined && said.key === undefined) partner.weAgree = false;
      beginAnew(partner, said.pair);
    }
    if (!partner.weAgree) this.#ring(partner);
    else if (said.key === undefined) {
      partner.askedAt = this.#options.clock.monotonic();
      this.#introduce(partner);
    } else this.#met(partner, said.key, said);
  }

  /** A frame of the relay came. */
  relayed({ pair, stream, seq, data, ack, end }: Relay): void {
    const partner = this.partners.find((one) => one.pair === pair);
    partner?.path?.relayed({ stream, seq, data, ack, end });
  }

  /** An error that answers a relayed frame. @returns false if it is about something else */
  relayRefused(id: string | undefined, code: string, message: string): boolean {
    if (id?.startsWith(relayId) !== true) return false;
    const stream = id.slice(relayId.length);
    for (const partner of this.partners) {
      partner.path?.relayRefused(stream, message);
      if (code === "not-introduced") partner.saidAt = 0;
    }
    return true;
  }

  /** We are called otherwise: those with a path must not take the new name for somebody else. */
  sayAgain(): void {
    for (const partner of this.partners) partner.saidAt = 0;
  }

  /** Somebody is called otherwise. */
  renamed(nick: string, to: string): void {
    const partner = this.find(nick);
    if (partner !== undefined) this.#name(partner, to);
  }

  /** The key that is remembered for a name, if it is another one. */
  #otherKey(nick: string, key: PeerId): PeerId | undefined {
    const known = this.#parts?.device.known;
    const remembered = this.#options.scopes().map((scope) => known?.vouchedFor(scope, nameKey(nick)));
    return remembered.find((one) => one !== undefined && one !== key);
  }

  /** @returns false if that name is remembered as somebody else's: they are not shown under it, nor written to */
  #name(partner: Partner, nick: string): boolean {
    const { nick: before, key } = partner;
    if (before === nick) return true;
    partner.nick = nick;
    const parts = this.#parts;
    const known = key === undefined ? undefined : this.#otherKey(nick, key);
    if (parts !== undefined && key !== undefined && known !== undefined) {
      this.#refuse(partner, () => this.#teller.keyChanged(partner, parts.formatPeerId, known, key));
      return false;
    }
    if (partner.path !== undefined) this.#teller.renamed(partner, before);
    return true;
  }

  /** The server is there again. @param resumed as the same session */
  online(resumed: boolean): void {
    for (const partner of this.partners) {
      if (!resumed) beginAnew(partner, undefined);
      partner.saidTimes = 0;
      partner.path?.hurry();
    }
    this.sayAgain();
  }

  /** Ends everything; the others are told if the server is still there. */
  async stop(): Promise<void> {
    await Promise.all(this.#partners.clear().map((partner) => this.#end(partner)));
  }

  #load(): Promise<DirectParts> {
    this.#loading ??= this.#options.load().then((parts) => (this.#parts = parts));
    // What failed once may be mended: the next one tries again.
    this.#loading.catch(() => (this.#loading = undefined));
    return this.#loading;
  }

  /** Tells that somebody asks; not again within a while, whatever became of it. */
  #ring(partner: Partner): void {
    const now = this.#options.clock.monotonic();
    partner.askedAt = now;
    if (this.#partners.mayRing(partner, now)) this.#teller.ring(partner);
  }

  /** Both have agreed, and this is their key. */
  #met(partner: Partner, key: string, said: Introduction): void {
    const parts = this.#parts;
    if (parts?.isPeerId(key) !== true) return;
    const { known, identity } = parts.device;
    const { scopes, clock } = this.#options;
    if (key === identity.peerId) return this.#refuse(partner, () => this.#teller.ownKey(partner));
    const before = partner.key === key ? undefined : (partner.key ?? this.#otherKey(partner.nick, key));
    if (before !== undefined) {
      return this.#refuse(partner, () => this.#teller.keyChanged(partner, parts.formatPeerId, before, key));
    }
    try {
      for (const scope of scopes()) known.vouch(scope, nameKey(partner.nick), key, clock.now());
    } catch (error) {
      if (!(error instanceof StateFileError)) throw error;
      return this.#refuse(partner, () => this.#teller.failed(partner, reasonOf(error)));
    }
    partner.key = key;
    partner.isConfirmed = true;
    partner.pass = said.pass ?? partner.pass;
    partner.path ??= this.#open(partner, parts, key);
    if (partner.path === undefined) return;
    partner.path.reach(parts.toldAddresses(said));
    partner.path.hurry();
    const now = clock.monotonic();
    const isStale = !partner.path.isLinked && now - partner.saidAt > directLimits.meetAgainMs / 2;
    if (said.addresses === undefined || !partner.isMet || isStale) this.#introduce(partner);
  }

  #open(partner: Partner, parts: DirectParts, key: PeerId): Pair | undefined {
    this.#teller.state(partner, "agreed");
    partner.lostAt = this.#options.clock.monotonic();
    try {
      return openPair(this.#options, parts, partner, key, (path) => this.#moved(partner, path));
    } catch (error) {
      this.#refuse(partner, () => this.#teller.failed(partner, reasonOf(error)));
      return undefined;
    }
  }

  #moved(partner: Partner, path: PairPath | undefined): void {
    if (!this.#partners.has(partner)) return;
    if (path === undefined) {
      partner.lostAt ??= this.#options.clock.monotonic();
      partner.saidTimes = 0;
      return;
    }
    partner.lostAt = undefined;
    partner.saidTimes = 0;
    if (partner.told !== pathKey(path)) this.#teller.path(partner);
  }

  /** Says to the server what comes next between the two. */
  #introduce(partner: Partner, done: (answer: Answer) => void = () => {}): void {
    const { session, clock, words } = this.#options;
    const request: PlainRequest = {
      type: "introduce",
      to: partner.nick,
      ...cardFor(partner, this.#parts?.device.identity.peerId),
    };
    partner.isMet ||= request.addresses !== undefined;
    partner.saidAt = clock.monotonic();
    partner.saidTimes += 1;
    const taken = session.request(request, (answer) => {
      if (answer.ok && answer.message.type === "introduce") {
        if (partner.pair !== answer.message.pair) {
          if (partner.pair === undefined) partner.pair = answer.message.pair;
          else beginAnew(partner, answer.message.pair);
        }
        this.#name(partner, answer.message.nick);
      }
      if (!answer.ok && answer.code === "not-introduced") {
        // The nick is somebody else's now, or one of us has another session: the key first, as with anybody.
        beginAnew(partner, undefined);
        partner.saidAt = 0;
      }
      const isOld = !answer.ok && answer.code === "unknown-type";
      done(isOld ? { ...answer, message: words.direct.tooOld } : answer);
    });
    if (!taken.ok) done(taken);
  }

  #refuse(partner: Partner, tell: () => void): void {
    this.#partners.delete(partner);
    void this.#end(partner);
    tell();
  }

  async #end(partner: Partner): Promise<void> {
    const { session } = this.#options;
    if (partner.weAgree || partner.isOver || partner.askedAt !== undefined) {
      session.request({ type: "introduce", to: partner.nick, end: true });
    }
    partner.weAgree = false;
    await this.#stopPath(partner, partner.path);
  }

  /** Never rejects: a file that cannot be closed is told, and no reason to end the program. */
  async #stopPath(partner: Partner, path: Pair | undefined): Promise<void> {
    try {
      await path?.stop(this.#options.words.direct.notDelivered(partner.nick));
    } catch (error) {
      this.#teller.failed(partner, reasonOf(error));
    }
  }

  /** They want it no longer, or never did. */
  #ended(partner: Partner): void {
    const wasOpen = partner.path !== undefined;
    const wasAsked = partner.weAgree;
    partner.weAgree = false;
    partner.askedAt = undefined;
    if (!wasOpen) {
      this.#partners.delete(partner);
      if (wasAsked) this.#teller.state(partner, "declined");
      return;
    }
    const { path } = partner;
    // A new path begins anew, with introductions and keys.
    Object.assign(partner, { path: undefined, isOver: true, isMet: false, pass: undefined, told: undefined });
    this.#teller.state(partner, "over");
    void this.#stopPath(partner, path);
  }

  #add(nick: string): Partner {
    this.#timer ??= this.#options.clock.every(directLimits.tickMs, () => this.#tick());
    return this.#partners.add(nick);
  }

  #tick(): void {
    const now = this.#options.clock.monotonic();
    if (this.partners.length === 0) {
      this.#timer?.stop();
      this.#timer = undefined;
    }
    for (const partner of this.partners) {
      partner.path?.tick();
      if (partner.path !== undefined) this.#tickPath(partner, partner.path, now);
      else if (partner.weAgree) this.#tickAsked(partner, now);
      else if (!partner.isOver && now - (partner.askedAt ?? 0) > directLimits.rungForMs) {
        this.#partners.delete(partner);
      }
    }
  }

  #tickAsked(partner: Partner, now: number): void {
    if (now - partner.agreedAt > directLimits.askForMs) {
      this.#partners.delete(partner);
      this.#teller.state(partner, "silent");
    } else if (this.#options.session.online && now - partner.saidAt > directLimits.askAgainMs) {
      this.#introduce(partner);
    }
  }

  #tickPath(partner: Partner, path: Pair, now: number): void {
    if (
      partner.lostAt !== undefined &&
      now - partner.lostAt > directLimits.quietMs &&
      partner.told !== "none"
    ) {
      partner.told = "none";
      this.#teller.state(partner, "waiting");
    }
    const { meetAgainMs, meetAgainMostMs, renewMs } = directLimits;
    const pauseMs = path.isLinked ? renewMs : Math.min(meetAgainMostMs, meetAgainMs * 2 ** partner.saidTimes);
    const isDue = partner.saidAt === 0 || now - partner.saidAt > pauseMs;
    if (this.#options.session.online && partner.weAgree && isDue) this.#introduce(partner);
  }
}
