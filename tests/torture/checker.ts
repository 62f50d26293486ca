/**
 * The judge of a torture run: compares what every client saw with what the log holds.
 *
 * It knows nothing of sockets, processes or time. It is fed the run's history, event by event, as it happens or from a
 * file, and holds only what it needs to judge: what was sent, what was acknowledged, and each member's position in each
 * room. The rules are promises 1 to 4 of the README:
 *
 *   - an acknowledged message is in the log exactly once, at the position that was acknowledged;
 *   - a delivered message is in the log, at that position, with that text;
 *   - a member's deliveries in a room have consecutive positions, from its join to the end of the log;
 *   - one position of one epoch never carries two messages, whoever looks.
 *
 * Invariant: a member's `next` is the only position at which its next delivery is right.
 */

import { pauseLines, Pauses } from "./pauses.ts";

/** One thing that happened. `t` is ms since the start of the run; `c` the client's number. */
export type RunEvent =
  | { readonly e: "send"; readonly t: number; readonly c: number; readonly room: string; readonly id: string }
  | {
      readonly e: "ack";
      readonly t: number;
      readonly c: number;
      readonly room: string;
      readonly id: string;
      readonly seq: number;
    }
  | {
      readonly e: "message";
      readonly t: number;
      readonly c: number;
      readonly room: string;
      readonly seq: number;
      readonly id: string;
      readonly text: string;
    }
  | {
      /** `next` is the first position that must follow: the oldest message in the answer, or seq + 1. */
      readonly e: "joined";
      readonly t: number;
      readonly c: number;
      readonly room: string;
      readonly epoch: string;
      readonly next: number;
      readonly recovered: boolean;
    }
  | {
      readonly e: "presence";
      readonly t: number;
      readonly c: number;
      readonly room: string;
      readonly nick: string;
      readonly state: string;
    }
  | { readonly e: "disconnect"; readonly t: number; readonly c: number; readonly why: string }
  | { readonly e: "fault"; readonly t: number; readonly what: string }
  /** From here on, or up to here, nothing could answer: nobody (without `c`), or not this client, which does not read. */
  | { readonly e: "away" | "back"; readonly t: number; readonly c?: number }
  /** From here on, or up to here, nobody comes or goes. */
  | { readonly e: "steady" | "calm"; readonly t: number }
  | {
      readonly e: "log";
      readonly room: string;
      readonly seq: number;
      readonly id: string;
      readonly text: string;
    };

/** The closing figures. The first three must be 0. */
export interface Verdict {
  sent: number;
  acked: number;
  lost: number;
  duplicated: number;
  reordered: number;
  disconnects: number;
  longestPauseMs: number;
  /** The longest pause without the time in which nothing could have answered. */
  beyondFaultMs: number;
  faults: number;
  /** Leave and join events seen while every client stayed. */
  noise: number;
  /** The longest pauses by fault, worded for a person. */
  pauses: string[];
  /** What was violated, worded for a person; at most `VIOLATIONS_SHOWN`. */
  violations: string[];
}

/** Enough to see a pattern, not enough to flood a terminal. */
const VIOLATIONS_SHOWN = 20;

interface Sent {
  readonly at: number;
  readonly room: string;
  acked: number | undefined;
  firstSeenAt: number | undefined;
}

interface Membership {
  epoch: string;
  next: number;
  from: number;
}

/** Judges one run. Feed it events, then ask for the verdict once. */
export class Checker {
  readonly #sent = new Map<string, Sent>();
  readonly #log = new Map<string, Map<number, { id: string; text: string }>>();
  readonly #positions = new Map<string, string>();
  readonly #members = new Map<string, Membership>();
  readonly #texts = new Map<string, string>();
  readonly #pauses = new Pauses();
  readonly #verdict: Verdict = {
    sent: 0,
    acked: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    disconnects: 0,
    longestPauseMs: 0,
    beyondFaultMs: 0,
    faults: 0,
    noise: 0,
    pauses: [],
    violations: [],
  };
  #steady = false;

  /** Takes the next event of the history. */
  take(event: RunEvent): void {
    switch (event.e) {
      case "send":
        this.#verdict.sent += 1;
        this.#sent.set(event.id, { at: event.t, room: event.room, acked: undefined, firstSeenAt: undefined });
        return;
      case "ack":
        this.#ack(event);
        return;
      case "message":
        this.#message(event);
        return;
      case "joined":
        this.#joined(event);
        return;
      case "presence":
        if (this.#steady && event.state !== "rename") {
          this.#verdict.noise += 1;
          this.#say(
            `client ${event.c} saw ${event.nick} ${event.state} in ${event.room} at ${event.t} ms while everybody stayed`,
          );
        }
        return;
      case "disconnect":
        this.#verdict.disconnects += 1;
        return;
      case "fault":
        this.#verdict.faults += 1;
        this.#pauses.fault(event.what);
        return;
      case "away":
        this.#pauses.away(event.t, event.c);
        return;
      case "back":
        this.#pauses.back(event.t, event.c);
        return;
      case "steady":
      case "calm":
        this.#steady = event.e === "steady";
        return;
      case "log":
        this.#logged(event.room, event.seq, event.id, event.text);
    }
  }

  /** Members that have not yet seen the whole log of their room. For waiting, before the verdict. */
  behind(lastSeq: ReadonlyMap<string, number>): number {
    let count = 0;
    for (const [key, member] of this.#members) {
      if (member.next <= (lastSeq.get(roomOf(key)) ?? 0)) count += 1;
    }
    return count;
  }

  /** The judgement, after the log has been fed. */
  verdict(): Verdict {
    const verdict = this.#verdict;
    for (const [id, sent] of this.#sent) {
      if (sent.acked === undefined) continue;
      const entry = this.#log.get(sent.room)?.get(sent.acked);
      if (entry?.id !== id) {
        verdict.lost += 1;
        this.#say(
          `${id} was acknowledged at ${sent.room}/${sent.acked}, where the log has ${entry?.id ?? "nothing"}`,
        );
      }
    }
    for (const [key, member] of this.#members) {
      const last = this.#log.get(roomOf(key))?.size ?? 0;
      if (member.next > last) continue;
      verdict.lost += last - member.next + 1;
      this.#say(`member ${key} stopped at ${member.next - 1} of ${last}`);
    }
    for (const key of this.#positions.keys()) this.#checkLogged(key);
    verdict.longestPauseMs = this.#pauses.all.pauseMs;
    verdict.beyondFaultMs = this.#pauses.all.beyondMs;
    verdict.pauses = pauseLines(this.#pauses);
    return verdict;
  }

  #ack({ id, seq, t, c }: Extract<RunEvent, { e: "ack" }>): void {
    const sent = this.#sent.get(id);
    if (sent === undefined) {
      this.#say(`an acknowledgement for ${id}, which nobody sent`);
      return;
    }
    if (sent.acked === undefined) this.#verdict.acked += 1;
    else if (sent.acked !== seq) {
      this.#verdict.duplicated += 1;
      this.#say(`${id} was acknowledged at ${sent.acked} and at ${seq}`);
    }
    sent.acked = seq;
    this.#pauses.took(sent.at, t, c);
  }

  #message(event: Extract<RunEvent, { e: "message" }>): void {
    const member = this.#members.get(memberKey(event.c, event.room));
    if (member === undefined) {
      this.#verdict.reordered += 1;
      this.#say(`client ${event.c} got ${event.room}/${event.seq} before it joined`);
      return;
    }
    const sent = this.#sent.get(event.id);
    if (sent !== undefined && sent.firstSeenAt === undefined) {
      sent.firstSeenAt = event.t;
      this.#pauses.took(sent.at, event.t);
    }
    this.#carries(event.room, member.epoch, event.seq, event.id, event.text);
    if (event.seq === member.next) {
      member.next += 1;
    } else if (event.seq < member.next) {
      if (event.seq >= member.from) this.#verdict.duplicated += 1;
      else this.#verdict.reordered += 1;
      this.#say(
        `client ${event.c} got ${event.room}/${event.seq} when ${member.next} was next, at ${event.t} ms`,
      );
    } else {
      this.#verdict.lost += event.seq - member.next;
      this.#say(
        `client ${event.c} got ${event.room}/${event.seq} when ${member.next} was next, at ${event.t} ms`,
      );
      member.next = event.seq + 1;
    }
  }

  /** One position, one message: also between clients, also across a take-over. */
  #carries(room: string, epoch: string, seq: number, id: string, text: string): void {
    const key = `${epoch}/${seq}/${room}`;
    const known = this.#positions.get(key);
    if (known === undefined) {
      this.#positions.set(key, id);
      this.#texts.set(id, text);
    } else if (known !== id) {
      this.#verdict.reordered += 1;
      this.#say(`position ${room}/${seq} carried both ${known} and ${id}`);
    } else if (this.#texts.get(id) !== text) {
      this.#verdict.lost += 1;
      this.#say(`${id} was delivered with two texts`);
    }
  }

  #joined(event: Extract<RunEvent, { e: "joined" }>): void {
    const key = memberKey(event.c, event.room);
    const member = this.#members.get(key);
    if (member === undefined) {
      this.#members.set(key, { epoch: event.epoch, next: event.next, from: event.next });
      return;
    }
    if (!event.recovered) {
      this.#verdict.lost += Math.max(1, event.next - member.next);
      this.#say(
        `client ${event.c} was told of a gap in ${event.room} after ${member.next - 1}, at ${event.t} ms`,
      );
      member.next = event.next;
    }
    member.epoch = event.epoch;
  }

  #logged(room: string, seq: number, id: string, text: string): void {
    let log = this.#log.get(room);
    if (log === undefined) {
      log = new Map();
      this.#log.set(room, log);
    }
    if (seq !== log.size + 1) {
      this.#verdict.lost += 1;
      this.#say(`the log of ${room} has ${seq} after ${log.size}`);
    }
    log.set(seq, { id, text });
    const sent = this.#sent.get(id);
    const key = `logged ${id}`;
    if (sent === undefined || this.#texts.has(key)) {
      this.#verdict.duplicated += 1;
      this.#say(
        sent === undefined ? `the log has ${id}, which nobody sent` : `the log of ${room} has ${id} twice`,
      );
    }
    this.#texts.set(key, text);
  }

  #checkLogged(key: string): void {
    const [, seq, room] = key.split("/");
    if (seq === undefined || room === undefined) return;
    const id = this.#positions.get(key);
    const entry = this.#log.get(room)?.get(Number(seq));
    if (entry?.id === id && entry !== undefined && this.#texts.get(entry.id) === entry.text) return;
    this.#verdict.lost += 1;
    this.#say(`${room}/${seq} was delivered as ${id ?? "nothing"}, the log has ${entry?.id ?? "nothing"}`);
  }

  #say(violation: string): void {
    if (this.#verdict.violations.length < VIOLATIONS_SHOWN) this.#verdict.violations.push(violation);
  }
}

function memberKey(client: number, room: string): string {
  return `${client} ${room}`;
}

function roomOf(key: string): string {
  return key.slice(key.indexOf(" ") + 1);
}

/** The closing line, in the order the README explains it. */
export function closingLine(verdict: Verdict): string {
  return (
    `sent=${verdict.sent} acked=${verdict.acked} lost=${verdict.lost} duplicated=${verdict.duplicated} ` +
    `reordered=${verdict.reordered} disconnects=${verdict.disconnects} ` +
    `longest_pause_ms=${Math.round(verdict.longestPauseMs)} ` +
    `beyond_fault_ms=${Math.round(verdict.beyondFaultMs)} faults=${verdict.faults}`
  );
}
