/**
 * A seeded world of devices: they write, links break, the network parts and heals, devices restart with their disk,
 * without it, or with an old copy of it, one is removed for good. In the end everything is healed, and all who are left
 * must have the same log in the same order, with everything in it that any of them ever kept.
 *
 * The same seed gives the same run, so a failing seed can be looked at again.
 */
import { hash as digest } from "node:crypto";
import { newMesh } from "../../../src/mesh/core/mesh-id.ts";
import { viewOf } from "../../../src/mesh/core/bytes.ts";
import { frameTypes, pageOf } from "../../../src/mesh/core/frames.ts";
import { reasons } from "../../../src/mesh/core/reasons.ts";
import { seededRandom, type Random } from "../../../src/protocol/clock.ts";
import { NumberSet } from "./number-set.ts";
import { bytesFrom, simulatedSigner, simulatedVerify } from "./crypto.ts";
import { Pipe, Timeline, type End } from "./network.ts";
import { SimPeer, type CoreClass, type SimDisk } from "./peer.ts";
import { SharedCodec } from "./shared-codec.ts";

/** How large a run is. */
export interface WorldSize {
  readonly peers: number;
  readonly messages: number;
  /** Simulated ms in which the messages are written. */
  readonly durationMs: number;
}

/** Two and a half busy minutes of a large mesh. */
export const fullSize: WorldSize = { peers: 20, messages: 10_000, durationMs: 150_000 };

/** What a run did, for people who want to see that it did something. */
export interface WorldReport {
  readonly entries: number;
  /** Start of a hash of the order all agree on: an optimisation that changes it has changed behaviour. */
  readonly order: string;
  readonly lostWithTheirOnlyDisk: number;
  readonly pushes: number;
  readonly frames: number;
  readonly bytes: number;
  readonly restarts: number;
  readonly diskLosses: number;
  readonly powerCuts: number;
  readonly oldDisks: number;
  readonly partitions: number;
  readonly cuts: number;
  readonly forks: number;
  readonly settledMs: number;
}

/** The run broke a promise. */
export class WorldError extends Error {
  override name = "WorldError";
}

const rooms = ["lobby", "games", "Zürich"];
const tickMs = 100;
/** Healed, this long is enough for several rounds of anti-entropy. */
const settleMostMs = 180_000;

/** One run. */
export class World {
  readonly #random: Random;
  readonly #time = new Timeline();
  readonly #codec = new SharedCodec(simulatedVerify);
  readonly #size: WorldSize;
  readonly #peers: SimPeer[] = [];
  readonly #byId = new Map<string, SimPeer>();
  readonly #meshId: Uint8Array;
  /** Pairs that can never have a link, as `a:b` of their numbers. */
  readonly #unreachable = new Set<string>();
  readonly #published = new Set<string>();
  /** Entries whose every copy may have been on a disk that is gone. */
  readonly #maybeLost = new Set<string>();
  /** Entries that were sent unasked, numbered as they came, by part of their signatures. */
  readonly #numbers = new Map<number, number>();
  /** Devices that went on from an old disk: only these may fork. */
  readonly #restored = new Set<string>();
  readonly #oldDisks = new Map<SimPeer, SimDisk>();
  #groups: number[] = [];
  #isHealed = false;
  #counts = {
    pushes: 0,
    frames: 0,
    bytes: 0,
    restarts: 0,
    diskLosses: 0,
    powerCuts: 0,
    oldDisks: 0,
    partitions: 0,
    cuts: 0,
  };

  constructor(seed: number, size: WorldSize, core: CoreClass) {
    this.#random = seededRandom(seed);
    this.#size = size;
    const founder = simulatedSigner(this.#random);
    const { meshId, nonce } = newMesh(founder.peerId, (length) => bytesFrom(this.#random, length));
    this.#meshId = meshId;
    for (let i = 0; i < size.peers; i += 1) {
      const peer = new SimPeer({
        core,
        codec: this.#codec,
        time: this.#time,
        random: this.#random,
        meshId: () => this.#meshId,
        ...(i === 0 ? { signer: founder } : {}),
        onClose: (closing, other) => this.#cut(closing, this.#byId.get(other)),
      });
      this.#peers.push(peer);
      this.#byId.set(peer.id, peer);
    }
    this.#groups = this.#peers.map(() => 0);
    this.#chooseUnreachable();
    this.#note(this.#at(0).core.found("simulated", nonce));
    for (const peer of this.#peers.slice(1)) this.#note(this.#at(0).core.admit(peer.id));
    this.#note(this.#at(0).core.appoint(this.#at(1).id));
  }

  /** Runs to the end. @throws WorldError when a promise is broken */
  run(): WorldReport {
    const { messages, durationMs } = this.#size;
    for (const peer of this.#peers) this.#scheduleTick(peer);
    this.#scheduleDials();
    // Everybody gets the log once, so that everybody may write.
    this.#time.runUntil(20_000);
    for (let i = 0; i < messages; i += 1)
      this.#time.after(this.#random() * durationMs, () => this.#publish());
    for (let at = 0; at < durationMs; at += 1_000 + this.#random() * 5_000)
      this.#time.after(at, () => this.#trouble());
    this.#time.after(durationMs * (0.3 + this.#random() * 0.4), () => this.#removeOne());
    this.#time.runUntil(20_000 + durationMs);
    this.#heal();
    const healedAt = this.#time.now;
    let difference: string | undefined;
    do {
      this.#time.runUntil(this.#time.now + 5_000);
      difference = this.#difference();
    } while (difference !== undefined && this.#time.now < healedAt + settleMostMs);
    if (difference !== undefined) throw new WorldError(`logs differ: ${difference}`);
    this.#check();
    const order = this.#at(0).core.order();
    return {
      entries: order.length,
      order: digest("sha256", order.join(), "hex").slice(0, 16),
      lostWithTheirOnlyDisk: this.#maybeLost.size,
      forks: new Set(this.#peers.flatMap((peer) => peer.forks)).size,
      settledMs: this.#time.now - healedAt,
      ...this.#counts,
    };
  }

  #at(index: number): SimPeer {
    const peer = this.#peers[index];
    if (peer === undefined) throw new Error(`no peer ${index}`);
    return peer;
  }

  #survivors(): SimPeer[] {
    return this.#peers.filter((peer) => !peer.isRemoved);
  }

  #pick<T>(from: readonly T[]): T {
    const one = from[Math.floor(this.#random() * from.length)];
    if (one === undefined) throw new Error("nothing to pick from");
    return one;
  }

  /** Up to a third of the pairs never see each other, but the first peer reaches everybody. */
  #chooseUnreachable(): void {
    const share = this.#random() < 0.5 ? 0 : this.#random() / 3;
    for (let a = 1; a < this.#peers.length; a += 1)
      for (let b = a + 1; b < this.#peers.length; b += 1)
        if (this.#random() < share) this.#unreachable.add(`${a}:${b}`);
  }

  #canLink(a: number, b: number): boolean {
    const [one, two] = [this.#at(a), this.#at(b)];
    if (this.#groups[a] !== this.#groups[b] || one.isRemoved || two.isRemoved) return false;
    return !one.pipes.has(two) && !this.#unreachable.has(`${a}:${b}`);
  }

  #scheduleTick(peer: SimPeer): void {
    this.#time.after(tickMs * (0.5 + this.#random()), () => {
      if (!peer.isRemoved) peer.core.tick();
      this.#scheduleTick(peer);
    });
  }

  #scheduleDials(): void {
    this.#time.after(500, () => {
      for (let a = 0; a < this.#peers.length; a += 1)
        for (let b = a + 1; b < this.#peers.length; b += 1)
          if (this.#canLink(a, b) && (this.#isHealed || this.#random() < 0.3))
            this.#link(this.#at(a), this.#at(b));
      this.#scheduleDials();
    });
  }

  #link(a: SimPeer, b: SimPeer): void {
    const ends = [this.#end(a, b), this.#end(b, a)] as const;
    const delay = 1 + this.#random() * 60;
    const capacity = this.#random() < 0.1 ? 8 : 512;
    const shared = { time: this.#time, random: this.#random, delay, capacity };
    const there = new Pipe({ ...shared, from: ends[0], to: ends[1] });
    const back = new Pipe({ ...shared, from: ends[1], to: ends[0] });
    a.pipes.set(b, there);
    b.pipes.set(a, back);
    for (const [from, to, pipe] of [[a, b, there] as const, [b, a, back] as const]) {
      const pushed = new NumberSet();
      const result = from.core.linkUp(to.id, (frame) => {
        if (!pipe.send(frame)) return false;
        this.#counts.frames += 1;
        this.#counts.bytes += frame.length;
        if (frame[0] === frameTypes.entries && pageOf(frame) === 0 && !this.#notePush(frame, pushed))
          throw new WorldError(`${from.id}>${to.id} carried an entry twice unasked`);
        return true;
      });
      if (!result.ok) this.#cut(from, to);
    }
  }

  #end(peer: SimPeer, other: SimPeer): End {
    const { run } = peer;
    return {
      receive: (frame) => {
        if (peer.run === run) peer.core.receive(other.id, frame);
      },
      drained: () => {
        if (peer.run === run) peer.core.linkDrained(other.id);
      },
    };
  }

  /** False when one of the frame's entries is in `pushed` already: nobody may send one twice unasked on one link. */
  #notePush(frame: Uint8Array, pushed: NumberSet): boolean {
    const view = viewOf(frame);
    for (let at = 7; at < frame.length;) {
      const end = at + 2 + view.readUInt16BE(at);
      // Part of the signature: as good as the hash for telling entries apart, and at hand.
      const name = view.readUIntBE(end - 6, 6);
      let number = this.#numbers.get(name);
      if (number === undefined) {
        number = this.#numbers.size;
        this.#numbers.set(name, number);
      }
      if (!pushed.add(number)) return false;
      this.#counts.pushes += 1;
      at = end;
    }
    return true;
  }

  #cut(a: SimPeer, b: SimPeer | undefined): void {
    if (b === undefined) return;
    for (const [from, to] of [[a, b] as const, [b, a] as const]) {
      from.pipes.get(to)?.cut();
      from.pipes.delete(to);
      from.core.linkDown(to.id);
    }
  }

  #note(result: ReturnType<SimPeer["core"]["publish"]>): void {
    if (result.ok) this.#published.add(result.hash);
    else if (result.code !== "no-previous") throw new WorldError(`${result.code}: ${result.message}`);
  }

  #publish(): void {
    const peer = this.#pick(this.#survivors());
    const chance = this.#random();
    const text = `message ${this.#published.size} ${"x".repeat(Math.floor(this.#random() * 60))}`;
    const other = this.#pick(this.#survivors());
    if (chance < 0.05 && other !== peer && peer.core.standing(other.id) === "member")
      this.#note(peer.core.publish({ kind: "direct", to: other.id, text }));
    else if (chance < 0.06)
      this.#note(peer.core.publish({ kind: "profile", nick: `nick${Math.floor(chance * 1e6)}` }));
    else if (chance < 0.07)
      this.#note(peer.core.publish({ kind: "topic", room: this.#pick(rooms), text: "news" }));
    else this.#note(peer.core.publish({ kind: "chat", room: this.#pick(rooms), text }));
  }

  #trouble(): void {
    const chance = this.#random();
    const peer = this.#pick(this.#survivors());
    if (chance < 0.3) this.#partition();
    else if (chance < 0.6) this.#cutSome();
    else if (chance < 0.7) this.#restart(peer, undefined);
    else if (chance < 0.8) this.#cutPower(peer);
    else if (chance < 0.88) this.#restart(peer, peer.newDisk());
    else if (chance < 0.94) this.#oldDisks.set(peer, peer.store.copy());
    else if (this.#oldDisks.size > 0) this.#restoreOne();
  }

  #partition(): void {
    this.#counts.partitions += 1;
    const parts = 1 + Math.floor(this.#random() * 4);
    this.#groups = this.#peers.map(() => Math.floor(this.#random() * parts));
    for (const [a, one] of this.#peers.entries())
      for (const two of one.pipes.keys())
        if (this.#groups[a] !== this.#groups[this.#peers.indexOf(two)]) this.#cut(one, two);
  }

  #cutSome(): void {
    for (let i = 0; i < 5; i += 1) {
      const peer = this.#pick(this.#peers);
      if (peer.pipes.size === 0) continue;
      this.#counts.cuts += 1;
      this.#cut(peer, this.#pick([...peer.pipes.keys()]));
    }
  }

  /** The power fails, half of the time right after a message was sent, and so before it was synced. */
  #cutPower(peer: SimPeer): void {
    if (this.#random() < 0.5)
      this.#note(peer.core.publish({ kind: "chat", room: "lobby", text: "last words" }));
    this.#time.after(this.#random() < 0.5 ? 0 : this.#random() * 30, () => {
      if (peer.isRemoved) return;
      this.#counts.powerCuts += 1;
      this.#restart(peer, peer.store.afterPowerCut(this.#random()));
    });
  }

  #restoreOne(): void {
    const [peer, disk] = this.#pick([...this.#oldDisks]);
    this.#oldDisks.delete(peer);
    if (peer.isRemoved) return;
    this.#counts.oldDisks += 1;
    this.#restored.add(peer.id);
    this.#restart(peer, disk);
  }

  #restart(peer: SimPeer, disk: SimDisk | undefined): void {
    for (const other of peer.pipes.keys()) this.#cut(peer, other);
    this.#counts.restarts += 1;
    if (disk !== undefined) {
      this.#counts.diskLosses += 1;
      const others = this.#survivors().filter((other) => other !== peer);
      for (const { hash } of peer.store.entries()) {
        const isElsewhere = disk.get(hash) !== undefined || others.some((other) => other.store.get(hash));
        if (!isElsewhere) this.#maybeLost.add(hash);
      }
      peer.store = disk;
    }
    peer.start();
  }

  /** The founder, or the admin, removes somebody else; nobody is a survivor of that but those who stay. */
  #removeOne(): void {
    const by = this.#at(this.#random() < 0.5 ? 0 : 1);
    const target = this.#pick(this.#peers.slice(2));
    if (by.core.standing(target.id) !== "member") return;
    const result = by.core.remove(target.id);
    if (!result.ok && result.code === "not-authorised") return; // The admin lost its disk a moment ago.
    this.#note(result);
    // Until others know, it goes on; what only it holds when it is cut off for good goes with it.
    this.#time.after(10_000, () => {
      for (const other of target.pipes.keys()) this.#cut(target, other);
      target.isRemoved = true;
      const others = this.#survivors();
      for (const { hash } of target.store.entries())
        if (!others.some((other) => other.store.get(hash))) this.#maybeLost.add(hash);
    });
  }

  #heal(): void {
    this.#isHealed = true;
    this.#groups = this.#peers.map(() => 0);
  }

  /** The first thing in which two survivors differ, or undefined. */
  #difference(): string | undefined {
    const [first, ...others] = this.#survivors();
    const order = first?.core.order() ?? [];
    for (const other of others) {
      const theirs = other.core.order();
      let same = 0;
      while (same < order.length && order[same] === theirs[same]) same += 1;
      if (same < order.length || theirs.length > same)
        return `${first?.id} has ${order.length} entries, ${other.id} ${theirs.length}, the same up to ${same}`;
    }
    return undefined;
  }

  /** All lines of a room, as a few peers see it: the order was compared already, this reads it back. */
  #checkTimelines(): void {
    const room = this.#pick(rooms);
    const lines = (peer: SimPeer) =>
      JSON.stringify(peer.core.timeline({ room }, 1e9).map(({ hash, text, author }) => [hash, text, author]));
    const [first, ...others] = this.#survivors().slice(0, 3);
    for (const peer of others)
      if (first && lines(peer) !== lines(first)) throw new WorldError(`${room} differs at ${peer.id}`);
  }

  #check(): void {
    this.#codec.check();
    this.#checkTimelines();
    const first = this.#at(0).core;
    const held = new Set(first.order());
    for (const hash of this.#published)
      if (!held.has(hash) && !this.#maybeLost.has(hash)) throw new WorldError(`entry ${hash} is lost`);
    for (const peer of this.#survivors()) {
      const summary = (of: typeof first) =>
        of
          .rooms()
          .map((room) => Object.values(room).join())
          .sort()
          .join();
      if (summary(peer.core) !== summary(first)) throw new WorldError(`the rooms differ at ${peer.id}`);
      const about = (of: typeof first) =>
        JSON.stringify(
          of.members().map(({ peerId, role, nick, removedBy }) => [peerId, role, nick, removedBy]),
        );
      if (about(peer.core) !== about(first)) throw new WorldError(`members differ at ${peer.id}`);
      const secret = (of: typeof first) => String(of.secrets()[0]?.secret);
      if (secret(peer.core) !== secret(first)) throw new WorldError(`the secret differs at ${peer.id}`);
      const fork = peer.forks.find((peerId) => !this.#restored.has(peerId));
      if (fork !== undefined) throw new WorldError(`${fork} forked, and never had an old disk`);
      const bad = peer.faults.find(({ code }) => code !== "removed-member" && reasons[code].fate !== "hold");
      if (bad !== undefined)
        throw new WorldError(`${peer.id} blames ${bad.peerId}: ${bad.code} ${bad.detail}`);
    }
  }
}
