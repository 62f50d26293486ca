/**
 * A client that writes down everything: the witness of a torture run.
 *
 * It speaks the wire protocol by itself, with nothing shared with rtchat's own client, so that a fault common to both
 * cannot hide. It sends numbered messages at a steady rate, repeats what was not acknowledged after a reconnect with the
 * same ids, and resumes its rooms at the positions it holds.
 *
 * Invariant: every line received becomes an event before anything else happens to it; nothing is deduplicated here.
 */
import type { Socket } from "bun";
import type { RunEvent } from "./checker.ts";
import type { Random } from "../../src/protocol/clock.ts";

/** Reconnects after 20 to 220 ms: quick, so that pauses measure the servers and not the witness. */
const RECONNECT_MS = 20;
const RECONNECT_JITTER_MS = 200;
/** A connection that does not say `welcome` in this time is given up. */
const WELCOME_MS = 5_000;

/** What a witness needs of the run. */
export interface Witnessing {
  readonly number: number;
  readonly rooms: readonly string[];
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly random: Random;
  /** ms since the run began */
  elapsed(): number;
  record(event: RunEvent): void;
}

interface ServerLine {
  readonly type: string;
  readonly room?: string;
  readonly id?: string;
  readonly seq?: number;
  readonly text?: string;
  readonly epoch?: string;
  readonly code?: string;
  readonly message?: string;
  readonly state?: string;
  readonly nick?: string;
  readonly resume?: string;
  readonly recovered?: boolean;
  readonly memberCount?: number;
  readonly messages?: readonly { readonly seq: number; readonly id?: string; readonly text: string }[];
}

/** One client of the run. */
export class Witness {
  readonly #run: Witnessing;
  readonly #positions = new Map<string, { epoch: string; seq: number }>();
  readonly #unacked = new Map<string, string>();
  readonly #joined = new Set<string>();
  readonly #members = new Map<string, number>();
  #socket: Socket | undefined;
  #pending: Buffer[] = [];
  #unsent: Buffer[] = [];
  #welcomed = false;
  #resume: string | undefined;
  #stopped = false;
  #paused = false;
  #count = 0;
  #target = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(run: Witnessing) {
    this.#run = run;
  }

  get rooms(): readonly string[] {
    return this.#run.rooms;
  }

  /** In all its rooms on a live connection. */
  get ready(): boolean {
    return this.#welcomed && this.#joined.size === this.#run.rooms.length;
  }

  /** How many people it has been told to be in a room. */
  membersOf(room: string): number {
    return this.#members.get(room) ?? 0;
  }

  /** Messages sent but not acknowledged. */
  get unacked(): number {
    return this.#unacked.size;
  }

  connect(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#socket?.terminate(), WELCOME_MS);
    const address = this.#run.addresses[this.#target % this.#run.addresses.length];
    if (address === undefined) return;
    this.#pending = [];
    this.#unsent = [];
    Bun.connect({
      hostname: address.host,
      port: address.port,
      socket: {
        open: (socket) => this.#open(socket),
        data: (socket, chunk) => {
          if (socket === this.#socket) this.#data(chunk);
        },
        drain: () => this.#flush(),
        close: (socket) => {
          if (socket === this.#socket) this.#lost("closed");
        },
        error: () => {},
      },
    }).catch(() => this.#lost("refused"));
  }

  /** Sends the next numbered message to one of the rooms. Sent later if there is no connection now. */
  send(): void {
    const room = this.#run.rooms[this.#count % this.#run.rooms.length];
    if (room === undefined) return;
    const id = `${this.#run.number}-${this.#count}`;
    this.#count += 1;
    const line = JSON.stringify({ type: "send", room, id, text: textOf(id) });
    this.#unacked.set(id, line);
    this.#run.record({ e: "send", t: this.#run.elapsed(), c: this.#run.number, room, id });
    if (this.ready) this.#write(line);
  }

  /** Stops reading for a while: a slow reader. */
  stall(ms: number): void {
    if (this.#paused || this.#socket === undefined) return;
    const socket = this.#socket;
    const note = (e: "away" | "back"): void =>
      this.#run.record({ e, t: this.#run.elapsed(), c: this.#run.number });
    this.#paused = true;
    note("away");
    socket.pause();
    setTimeout(() => {
      this.#paused = false;
      note("back");
      socket.resume();
    }, ms);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.end();
  }

  #open(socket: Socket): void {
    if (this.#stopped) {
      socket.end();
      return;
    }
    this.#socket = socket;
    this.#write(
      JSON.stringify({
        type: "hello",
        version: 1,
        nick: `w${this.#run.number}`,
        resume: this.#resume,
        client: "torture",
      }),
    );
  }

  #lost(why: string): void {
    clearTimeout(this.#timer);
    const had = this.#welcomed;
    this.#socket = undefined;
    this.#welcomed = false;
    this.#joined.clear();
    this.#target += 1;
    if (this.#stopped) return;
    if (had) this.#run.record({ e: "disconnect", t: this.#run.elapsed(), c: this.#run.number, why });
    this.#timer = setTimeout(() => this.connect(), RECONNECT_MS + this.#run.random() * RECONNECT_JITTER_MS);
  }

  #data(chunk: Buffer): void {
    let rest = chunk;
    for (let at = rest.indexOf(10); at !== -1; at = rest.indexOf(10)) {
      this.#pending.push(rest.subarray(0, at));
      const line = this.#pending.length === 1 ? rest.subarray(0, at) : Buffer.concat(this.#pending);
      this.#pending = [];
      this.#line(JSON.parse(line.toString("utf8")) as ServerLine);
      rest = rest.subarray(at + 1);
    }
    if (rest.length > 0) this.#pending.push(Buffer.from(rest));
  }

  #line(line: ServerLine): void {
    const t = this.#run.elapsed();
    const c = this.#run.number;
    const room = line.room ?? "";
    switch (line.type) {
      case "welcome":
        clearTimeout(this.#timer);
        this.#resume = line.resume;
        this.#welcomed = true;
        for (const name of this.#run.rooms) {
          this.#write(
            JSON.stringify({ type: "join", room: name, history: 0, since: this.#positions.get(name) }),
          );
        }
        return;
      case "joined":
        this.#rejoined(line, room, t);
        return;
      case "message":
        this.#message(room, line.seq ?? 0, line.id ?? "", line.text ?? "", t);
        return;
      case "ack":
        this.#run.record({ e: "ack", t, c, room, id: line.id ?? "", seq: line.seq ?? 0 });
        this.#unacked.delete(line.id ?? "");
        return;
      case "presence":
        this.#run.record({ e: "presence", t, c, room, nick: line.nick ?? "", state: line.state ?? "" });
        this.#counted(room, line.state);
        return;
      case "error":
        this.#error(line);
        break;
      default:
    }
  }

  #counted(room: string, state: string | undefined): void {
    const by = { join: 1, leave: -1 }[state ?? ""] ?? 0;
    this.#members.set(room, this.membersOf(room) + by);
  }

  #rejoined(line: ServerLine, room: string, t: number): void {
    const messages = line.messages ?? [];
    const next = messages[0]?.seq ?? (line.seq ?? 0) + 1;
    const epoch = line.epoch ?? "";
    this.#run.record({
      e: "joined",
      t,
      c: this.#run.number,
      room,
      epoch,
      next,
      recovered: line.recovered ?? false,
    });
    for (const message of messages) this.#message(room, message.seq, message.id ?? "", message.text, t);
    this.#positions.set(room, { epoch, seq: line.seq ?? 0 });
    this.#joined.add(room);
    this.#members.set(room, line.memberCount ?? 0);
    if (this.ready) for (const unacked of this.#unacked.values()) this.#write(unacked);
  }

  #message(room: string, seq: number, id: string, text: string, t: number): void {
    this.#run.record({ e: "message", t, c: this.#run.number, room, seq, id, text });
    const position = this.#positions.get(room);
    if (position !== undefined) position.seq = Math.max(position.seq, seq);
  }

  /** A refused send is repeated with its id: the checker then sees whether it was logged once. */
  #error(line: ServerLine): void {
    const unacked = this.#unacked.get(line.id ?? "");
    if (unacked !== undefined) setTimeout(() => this.ready && this.#write(unacked), RECONNECT_JITTER_MS);
    else if (line.code === "nick-taken" || line.code === "unavailable") this.#socket?.terminate();
  }

  #write(line: string): void {
    this.#unsent.push(Buffer.from(`${line}\n`));
    this.#flush();
  }

  #flush(): void {
    const socket = this.#socket;
    while (socket !== undefined && this.#unsent.length > 0) {
      const bytes = this.#unsent.length === 1 ? this.#unsent[0] : Buffer.concat(this.#unsent);
      if (bytes === undefined) return;
      const written = socket.write(bytes);
      if (written < 0) return;
      this.#unsent = written < bytes.length ? [bytes.subarray(written)] : [];
      if (written < bytes.length) return;
    }
  }
}

/** What a message says: its id, and enough after it that a cut or mixed text shows. */
function textOf(id: string): string {
  return `message ${id} ${"·".repeat(1 + (id.length % 7))} end of ${id}`;
}
