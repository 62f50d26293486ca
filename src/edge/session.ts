/**
 * One client's connection at an edge.
 *
 * A session cuts the client's bytes into lines and gives them to the hub of its link, as far as the window goes; what
 * the hub answers goes out as it came. It keeps what another hub would need to go on: the resume token, the lines that
 * are not finished, and where it stands in each of its groups. It never looks into a line.
 *
 * Reading follows what can be taken: a full window or a trunk that is behind pauses the client's socket, and the end of
 * either resumes it. Every such pause ends, because windows are emptied by a hub that is alive, and a hub that is not is
 * replaced or its sessions closed. A turn of the loop gives a hub so many lines of one session at most; the others wait for
 * the next turn, so that whoever sends without pause shares the loop with everybody else.
 */
import type { Connection, ConnectionEnd, ConnectionHandlers } from "../net/connection.ts";
import { atEndOfTurn, currentTurn, inNextTurn, type Continuable, type Flushable } from "../net/turn.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { LineSplitter } from "../protocol/lines.ts";
import type { Group } from "./group.ts";
import { LineWindow } from "./line-window.ts";
import type { WindowLimits } from "./line-window.ts";
import type { TrunkLink } from "./link.ts";
import type { CloseReason, GroupView, Handover, Origin, SessionId } from "./trunk.ts";
import { errorLine } from "./words.ts";

/** What a session needs of its edge. */
export interface SessionOwner {
  readonly limits: WindowLimits & {
    readonly lineBytes: number;
    readonly turnLines: number;
    readonly turnBytes: number;
  };
  /** Its first line is there; it needs a link. */
  sessionSpoke(session: Session): void;
  /** The hub has said something to it for the first time since it was placed or moved. */
  sessionConfirmed(session: Session): void;
  /** Its outbox is above the soft limit, or no longer. */
  sessionSlow(session: Session, slow: boolean): void;
  /** It will say no more, or nothing that is read, but lines are unfinished. */
  sessionEnding(session: Session): void;
  /** It leaves its link, if it has one, for good; it says no more. Once. */
  sessionLeft(session: Session): void;
  /** Its connection is gone. Once, after `sessionLeft`. */
  sessionGone(session: Session): void;
}

/** See the head of this file. */
export class Session implements ConnectionHandlers, Flushable, Continuable {
  readonly connection: Connection;
  readonly origin: Origin;
  /** The address that the gate admitted. */
  readonly ip: string;
  /** Counts the edge's sessions from 1, in the order in which they came. */
  readonly serial: number;
  /** Wall clock and monotonic, ms. */
  readonly acceptedAt: number;
  readonly acceptedMonotonic: number;
  /** Where it is now, and its number there; undefined while it waits for a link. */
  link: TrunkLink | undefined = undefined;
  id: SessionId = 0;
  /** Groups on the link, and its place in each (see group.ts). */
  readonly groups: Group[] = [];
  readonly slots: number[] = [];
  /** For the edge's bookkeeping, monotonic ms: since when it is without a link, slow, or ending. */
  homelessSince = 0;
  slowSince = 0;
  endingSince = 0;
  /** It was told that it is held. */
  noticed = false;
  /** The link it was on last, or is on. */
  lastLink: TrunkLink | undefined = undefined;
  /** Links that died before they answered its first line. */
  failedLinks: Set<TrunkLink> | undefined = undefined;
  /** It was placed, and a hub has answered it. */
  wasConfirmed = false;
  moves = 0;
  linesIn = 0;
  /** Why it ended; undefined while it goes on. */
  endReason: CloseReason | "bye" | undefined = undefined;
  readonly #owner: SessionOwner;
  readonly #splitter: LineSplitter;
  readonly #window: LineWindow;
  #token = "";
  /** Where it stood in groups that no link has brought it back to yet. */
  #views: Map<string, GroupView> | undefined;
  #isConfirmed = false;
  #isPumpDue = false;
  /** The last turn in which lines were given, and what of that turn's share is left. */
  #turn = -1;
  #turnLines = 0;
  #turnBytes = 0;
  #isPutOff = false;
  /** It is to be closed as soon as its lines are finished; nothing more is read. */
  #isLeaving = false;

  constructor(
    owner: SessionOwner,
    connection: Connection,
    client: { serial: number; origin: Origin; ip: string; acceptedAt: number; acceptedMonotonic: number },
  ) {
    this.#owner = owner;
    this.connection = connection;
    this.origin = client.origin;
    this.ip = client.ip;
    this.serial = client.serial;
    this.acceptedAt = client.acceptedAt;
    this.acceptedMonotonic = client.acceptedMonotonic;
    this.#splitter = new LineSplitter(owner.limits.lineBytes);
    this.#window = new LineWindow(owner.limits);
  }

  /** True once a hub has welcomed it: it can be resumed elsewhere. */
  get isWelcomed(): boolean {
    return this.#token !== "";
  }

  /** True once the hub of its link has said something to it. */
  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  /** Bytes of lines kept because they are unfinished, or not given yet. */
  get unfinishedBytes(): number {
    return this.#window.bytes;
  }

  // The client's socket.

  data(chunk: Uint8Array): void {
    if (this.#isLeaving) return;
    const lines = this.#splitter.push(chunk);
    if (lines !== undefined) {
      this.#window.add(lines);
      if (this.link === undefined) {
        this.regulate();
        this.#owner.sessionSpoke(this);
      } else this.#pump();
    }
    if (this.#splitter.isBroken) this.#endOfReading();
  }

  pressure(): void {
    this.#owner.sessionSlow(this, true);
  }

  drain(): void {
    this.#owner.sessionSlow(this, false);
  }

  overflow(): void {
    this.tooSlow(this.connection.outboxBytes);
  }

  end(): void {
    if (this.#window.isEmpty) this.#complete();
    else this.#owner.sessionEnding(this);
  }

  close(end: ConnectionEnd): void {
    this.#leave(end === "failed" && !this.connection.peerEnded ? "failed" : "ended");
    this.#owner.sessionGone(this);
  }

  // The edge.

  /** Gives the session to a hub. It must have no link. */
  attach(link: TrunkLink): void {
    const { hub } = link;
    if (hub === undefined) return;
    this.link = link;
    this.lastLink = link;
    this.#isConfirmed = false;
    this.id = link.add(this);
    this.#window.rewind();
    if (this.#token === "" && this.moves === 0) hub.open(this.id, this.origin);
    else hub.resume(this.id, this.#handover());
    this.#pump();
  }

  /** Takes the session from its link, to be given to another. @param tell the hub is there and must be told */
  detach(tell: boolean): void {
    const { link } = this;
    if (link === undefined) return;
    if (tell) {
      this.rememberGroups();
      link.remove(this);
      link.hub?.close(this.id, "going-away");
    }
    this.link = undefined;
    this.moves += 1;
    this.regulate();
  }

  /** Keeps where it stands in its groups, for another hub. */
  rememberGroups(): void {
    if (this.groups.length === 0) return;
    this.#views ??= new Map();
    for (const group of this.groups) {
      // Of two groups of one name the later is the newer, and it goes last.
      this.#views.delete(group.name);
      this.#views.set(group.name, group.view());
    }
  }

  /** Tells the client why, and closes it. */
  refuse(code: ErrorCode, message: string): void {
    if (this.endReason !== undefined) return;
    this.#leave(code);
    this.connection.write(errorLine(code, message));
    this.connection.finish();
  }

  /** The client reads too slowly: what it has not read is dropped, but for the line it is in. */
  tooSlow(waitingBytes: number): void {
    this.connection.cutOutbox();
    this.refuse(
      "slow-consumer",
      `${waitingBytes} bytes were waiting to be read; read faster, or connect again and resume`,
    );
  }

  /** It has waited long enough for the answers to its last lines. */
  giveUpEnding(): void {
    this.#complete();
  }

  /** Says `words` and closes as soon as the lines taken so far are finished, or have had their time. */
  goAway(words: Uint8Array): void {
    if (this.endReason !== undefined || this.#isLeaving) return;
    this.#isLeaving = true;
    this.connection.write(words);
    if (this.#window.isEmpty) this.#complete();
    else this.#owner.sessionEnding(this);
  }

  // What the hub says.

  /** Bytes for the client; lines up to `done` are finished. */
  answered(bytes: Uint8Array, done: number): void {
    if (!this.#isConfirmed) this.#confirm();
    this.connection.write(bytes);
    const window = this.#window;
    if (done === window.done) return;
    window.finish(done);
    if (window.isWaiting || (window.isEmpty && this.#isLast)) this.#schedulePump();
    else if (this.connection.isPaused) this.regulate();
  }

  /** It is in a group of the link: what another hub said of its place there is past. */
  joined(group: Group): void {
    if (!this.#isConfirmed) this.#confirm();
    this.#views?.delete(group.name);
  }

  /** Bytes it missed in a group that it is on its way back to. */
  replayed(name: string, bytes: Uint8Array, seq: number): void {
    if (!this.#isConfirmed) this.#confirm();
    this.connection.write(bytes);
    const view = this.#views?.get(name);
    if (view === undefined) return;
    this.#views?.set(name, { ...view, position: { epoch: view.position.epoch, seq } });
  }

  renewToken(token: string): void {
    if (!this.#isConfirmed) this.#confirm();
    this.#token = token;
  }

  /** The hub has closed it. */
  dismissed(reason: ErrorCode | "bye"): void {
    if (this.endReason !== undefined) return;
    this.link?.remove(this);
    this.#leave(reason);
    this.connection.finish();
  }

  /** Reads the client, or not: see the head of this file. Between full and half full it stays as it is. */
  regulate(): void {
    const { link, connection } = this;
    const window = this.#window;
    if (link?.isPressed === true || window.isFull || (link !== undefined && window.isWaiting)) {
      connection.pause();
    } else if (link === undefined || window.hasRoom) connection.resume();
  }

  /** The end of a turn in which the hub made room. */
  flush(): void {
    this.#isPumpDue = false;
    if (this.endReason !== undefined) return;
    if (this.#window.isEmpty && this.#isLast) this.#complete();
    else this.#pump();
  }

  /** No more lines will be taken. */
  get #isLast(): boolean {
    return this.#isLeaving || this.connection.peerEnded;
  }

  #schedulePump(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    atEndOfTurn(this);
  }

  /** The next turn, for what the last one had no room for. */
  goOn(): void {
    this.#isPutOff = false;
    if (this.endReason === undefined) this.#pump();
  }

  /** True while this turn has room for more lines; else the next one is asked for. */
  get #hasTurn(): boolean {
    const turn = currentTurn();
    if (turn !== this.#turn) {
      const { turnLines, turnBytes } = this.#owner.limits;
      this.#turn = turn;
      this.#turnLines = turnLines;
      this.#turnBytes = turnBytes;
    }
    if (this.#turnLines > 0 && this.#turnBytes > 0) return true;
    if (!this.#isPutOff) inNextTurn(this);
    this.#isPutOff = true;
    return false;
  }

  /** Gives the hub what the window and this turn allow. */
  #pump(): void {
    const { link } = this;
    const window = this.#window;
    while (link?.hub !== undefined && this.link === link && window.isWaiting && this.#hasTurn) {
      const before = window.given;
      const lines = window.take(this.#turnLines, this.#turnBytes);
      if (lines === undefined) break;
      const count = window.given - before;
      this.#turnLines -= count;
      this.#turnBytes -= lines.length;
      this.linesIn += count;
      link.linesIn += count;
      link.bytesIn += lines.length;
      // A hub in this process may answer, or close the session, before this returns.
      link.hub.lines(this.id, lines);
    }
    this.regulate();
  }

  #confirm(): void {
    this.#isConfirmed = true;
    this.#owner.sessionConfirmed(this);
  }

  #handover(): Handover {
    return {
      origin: this.origin,
      token: this.#token,
      done: this.#window.done,
      moves: this.moves,
      groups: this.#views === undefined ? [] : [...this.#views.values()],
    };
  }

  /** A line was over the limit. The lines before it were good: they are answered first, if the hub answers in time. */
  #endOfReading(): void {
    if (this.endReason !== undefined) return;
    this.#isLeaving = true;
    if (this.#window.isEmpty) this.#complete();
    else this.#owner.sessionEnding(this);
  }

  #complete(): void {
    if (this.#splitter.isBroken) {
      const limit = this.#owner.limits.lineBytes;
      this.refuse("line-too-long", `a line is over ${limit} bytes; send shorter lines`);
      return;
    }
    this.#leave(this.connection.peerEnded ? "ended" : "going-away");
    this.connection.finish();
  }

  #leave(reason: CloseReason | "bye"): void {
    if (this.endReason !== undefined) return;
    this.endReason = reason;
    const { link } = this;
    // A hub that dismissed the session has been left already.
    if (link?.has(this) === true) {
      link.remove(this);
      link.hub?.close(this.id, reason === "bye" ? "ended" : reason);
    }
    this.#owner.sessionLeft(this);
    this.link = undefined;
  }
}
