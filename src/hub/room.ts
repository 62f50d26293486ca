/**
 * A room, or an inbox, that somebody here is in: how it stands, its newest messages, and who is to hear of it.
 *
 * What the backplane says is applied in the order said, and given to each edge that has members, once. So every group
 * of the room stands at `seq` at all times; whoever is brought to `seq` and put into a group in the same turn has
 * missed nothing and hears nothing twice.
 *
 * When the backplane loses continuity the room is `resetting`: entries and members are taken in silence until the newest
 * history is at hand, then everybody gets a `joined` that says that something is missing, in groups of the new epoch.
 */
import type { PresenceEvent, RoomSubscriber, Snapshot } from "../backplane/backplane.ts";
import { deliveriesAfter, piecesOf } from "../protocol/deliveries.ts";
import type { Deliveries } from "../protocol/deliveries.ts";
import { hubLimits } from "../protocol/limits.ts";
import { INBOX } from "../protocol/messages.ts";
import type { Away, Position, Presence } from "../protocol/messages.ts";
import type { Core } from "./core.ts";
import { awayMessage } from "./away.ts";
import { botField } from "./bots.ts";
import { encodeLine, joinLines } from "./encode.ts";
import { Gatherer } from "./gather.ts";
import type { Group } from "./group.ts";
import { encodeJoined } from "./joined.ts";
import { RecentMessages } from "./recent.ts";
import { Roster, hash32 } from "./roster.ts";
import type { Session } from "./session.ts";
import { TOPIC, readTopic, topicMessage } from "./topic.ts";
import type { TopicRecord } from "./topic.ts";

/** See above. */
export class Room implements RoomSubscriber {
  /** The log's name at the backplane: the room's key, or `@` and a session. */
  readonly log: string;
  /** What clients call it: the room's key, or INBOX. */
  readonly name: string;
  readonly roster = new Roster();
  readonly recent: RecentMessages;
  readonly #core: Core;
  state: "opening" | "live" | "resetting" | "closed" = "opening";
  topic: TopicRecord | undefined;
  /** Smallest seq that retention has left, as far as is known. */
  first = 1;
  /** Something happened since the last look of {@link Rooms}, which takes the caches of quiet rooms. */
  active = true;
  /** Replaced, not changed, so that a delivery under way is not disturbed by somebody leaving. */
  #groups: readonly Group[] = [];
  #epoch = "";
  #seq = 0;
  #topicHash = 0;
  #resets = 0;
  // Made when they are first needed: most rooms are inboxes, and most inboxes never need them.
  #gatherer: Gatherer | undefined;
  #waiters: { readonly seq: number; readonly run: () => void }[] | undefined;
  /** Sessions here that are setting the topic, by the record they set. */
  #setters: Map<string, Session> | undefined;

  constructor(core: Core, log: string, name: string) {
    this.#core = core;
    this.log = log;
    this.name = name;
    this.recent = new RecentMessages(core.limits, core.cacheBudget);
  }

  get gatherer(): Gatherer {
    return (this.#gatherer ??= new Gatherer(this.#core, this));
  }
  get epoch(): string {
    return this.#epoch;
  }
  /** Everything up to and with this has been given to the groups. */
  get seq(): number {
    return this.#seq;
  }
  get position(): Position {
    return { epoch: this.#epoch, seq: this.#seq };
  }
  get isInbox(): boolean {
    return this.name === INBOX;
  }
  get groups(): readonly Group[] {
    return this.#groups;
  }
  /** One number for the members and the topic, equal on all servers (see EdgePort.group). */
  get digest(): number {
    return (this.roster.digest ^ this.#topicHash) >>> 0;
  }

  addGroup(group: Group): void {
    this.#groups = [...this.#groups, group];
  }

  removeGroup(group: Group): void {
    this.#groups = this.#groups.filter((other) => other !== group);
  }

  /** The subscription stands. */
  open(snapshot: Snapshot): void {
    this.#take(snapshot);
    this.state = "live";
  }

  /** The subscription is over: nobody waits here any more. */
  close(): void {
    this.state = "closed";
    this.recent.clear(0);
    for (const { run } of this.#waiters?.splice(0) ?? []) run();
    this.#gatherer?.check();
  }

  appended(told: Deliveries): void {
    // What was heard before says nothing new; what comes too early means that something is missing.
    const fresh = deliveriesAfter(this.#seq, told);
    if (fresh === undefined) return;
    if (fresh.first !== this.#seq + 1) {
      const fields = { room: this.log, at: this.#seq, given: fresh.first };
      this.#core.logger.error("the backplane left out entries; subscribing again", fields);
      this.#core.rooms.resubscribe(this);
      return;
    }
    if (fresh.lines.length <= hubLimits.deliveryBytes) this.#deliver(fresh);
    else for (const piece of piecesOf(fresh, hubLimits.deliveryBytes)) this.#deliver(piece);
    if (this.#waiters !== undefined && this.state === "live") this.#runWaiters(this.#waiters);
  }

  /** Gives the next messages to everybody, in one frame an edge. */
  #deliver({ count, lines }: Deliveries): void {
    this.#seq += count;
    this.active = true;
    this.recent.push(lines, count);
    if (this.#core.cacheBudget.bytes > this.#core.limits.cacheBytes) this.#core.rooms.trim();
    if (this.state !== "live") return;
    const digest = this.digest;
    for (const group of this.#groups) group.edge.group(group.id, lines, this.#seq, digest, 0);
  }

  presence(event: PresenceEvent): void {
    const { session } = event.member;
    const lines = this.#tellPresence(event);
    if (lines === undefined) return;
    // Who leaves is told so by an answer; until then they are in the group.
    const own = this.#core.sessions.get(session);
    this.broadcast(
      joinLines(lines.map((line) => encodeLine(line))),
      event.kind === "leave" ? own : undefined,
    );
    if (own !== undefined && own.memberships.get(this.name)?.room === this) this.#reconcile(own, event);
  }

  /** Takes a change of members. @returns what there is to tell of it, or undefined for nothing */
  #tellPresence(event: PresenceEvent): (Presence | Away)[] | undefined {
    const { kind, member } = event;
    const { nick } = member;
    const { roster, name: room } = this;
    const bot = botField(member.session);
    switch (kind) {
      case "rename":
        if (!roster.has(member.session) || !roster.put({ ...member, nick: event.to })) return undefined;
        return [{ type: "presence", room, nick, state: "rename", to: event.to, ...bot }];
      case "away":
        if (!roster.has(member.session) || !roster.put(member)) return undefined;
        return [awayMessage(member, room)];
      case "join": {
        if (!roster.put(member)) return undefined;
        const came: Presence = { type: "presence", room, nick, state: "join", ...bot };
        return member.away === undefined ? [came] : [came, awayMessage(member, room)];
      }
      case "leave":
        if (!roster.remove(member.session)) return undefined;
        return [{ type: "presence", room, nick, state: "leave", ...bot }];
    }
  }

  /** What the cluster knows of a session here may come from a call that was carried out and never answered. */
  #reconcile(session: Session, event: PresenceEvent): void {
    if (event.kind === "leave") {
      if (session.leaving !== this.name) this.#core.enterAgain(session, this.name);
    } else if (event.kind === "rename" && event.to !== session.nick && !session.renaming) {
      session.setNick(event.to);
      session.say(encodeLine({ type: "nick", nick: event.to }));
    } else if (event.kind === "away") session.away = event.member.away;
  }

  record(key: string, value: string): void {
    if (key !== TOPIC) return;
    this.#setTopic(value);
    if (this.topic === undefined) return;
    const setter = this.#setters?.get(value);
    if (setter !== undefined) this.#setters?.delete(value);
    this.broadcast(encodeLine(topicMessage(this.name, this.topic)), setter);
  }

  /** A session here is about to set this record: it gets its own answer instead of what all get. */
  expectRecord(value: string, setter: Session): void {
    (this.#setters ??= new Map()).set(value, setter);
  }

  /** @returns false if the record was heard meanwhile */
  forgetRecord(value: string): boolean {
    return this.#setters?.delete(value) ?? false;
  }

  reset(snapshot: Snapshot): void {
    this.#take(snapshot);
    this.state = "resetting";
    this.#resets += 1;
    const current = this.#resets;
    const { logger, limits } = this.#core;
    logger.warn("continuity of a room was lost", { room: this.log, seq: this.#seq });
    this.gatherer.newest(limits.historyDefault, "resetting", (result) => {
      if (current !== this.#resets || this.state !== "resetting") return;
      this.#announceReset(result.ok ? result.lines : []);
    });
  }

  /** Lines for everybody here, but one, that leave the position where it is. */
  broadcast(line: Uint8Array, except: Session | undefined): void {
    if (this.state !== "live") return;
    const digest = this.digest;
    for (const group of this.#groups) {
      const spared = except !== undefined && group.sessions.has(except) ? except.id : 0;
      group.edge.group(group.id, line, this.#seq, digest, spared);
    }
  }

  /** Runs something once the groups stand at a position, now if they do or never will. */
  whenReached(position: Position, run: () => void): void {
    const settled = position.epoch !== this.#epoch || this.state === "closed";
    if (settled || (this.state === "live" && position.seq <= this.#seq)) {
      run();
      return;
    }
    const waiters = (this.#waiters ??= []);
    let at = waiters.length;
    while (at > 0 && (waiters[at - 1]?.seq ?? 0) > position.seq) at -= 1;
    waiters.splice(at, 0, { seq: position.seq, run });
  }

  #take(snapshot: Snapshot): void {
    this.#epoch = snapshot.position.epoch;
    this.#seq = snapshot.position.seq;
    this.first = 1;
    this.recent.clear(this.#seq);
    this.roster.reset(snapshot.members);
    this.#setTopic(snapshot.records.get(TOPIC));
  }

  #setTopic(value: string | undefined): void {
    this.topic = readTopic(value);
    this.#topicHash = this.topic === undefined ? 0 : hash32(`topic ${this.topic.text}`);
  }

  #announceReset(lines: readonly Uint8Array[]): void {
    this.state = "live";
    const joined = encodeJoined(this.#core, this, { recovered: false, lines });
    for (const group of this.#groups) this.#core.renewGroup(group, joined);
    for (const { run } of this.#waiters?.splice(0) ?? []) run();
    this.#core.enterMissing(this);
    this.#gatherer?.check();
  }

  #runWaiters(waiters: { readonly seq: number; readonly run: () => void }[]): void {
    let count = 0;
    for (const { seq } of waiters) {
      if (seq > this.#seq) break;
      count += 1;
    }
    for (const { run } of waiters.splice(0, count)) run();
  }
}
