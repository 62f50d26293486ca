/**
 * The edge's end of one trunk over TCP: dial, handshake, then frames both ways until it dies.
 *
 * A trunk lives once. Whoever owns it (the balancer's pool) makes the next one when it wants to try again, because when
 * to try is a matter of policy. While open it asks the hub for a report several times a second; a hub that is silent for
 * longer than its patience (patience.ts) is dead, whether its process is gone, stopped or stuck. The edge measures silence
 * only while its own loop runs: if the edge itself was stopped, what the hub said meanwhile is still waiting to be read.
 *
 * Invariant: after `open` comes exactly one `closed`; without `open`, exactly one `closed` as well.
 */
import type { Connection, ConnectionHandlers } from "../net/connection.ts";
import { dial, DialError } from "../net/dial.ts";
import type { Endpoint } from "../net/listener.ts";
import type { Clock, Timer } from "../protocol/clock.ts";
import { FrameDecoder, Op, TRUNK_MAGIC } from "../protocol/frames.ts";
import type { FrameReader } from "../protocol/frames.ts";
import { edgeLimits, trunkLimits } from "../protocol/limits.ts";
import { quote } from "../protocol/names.ts";
import { flushSoFar } from "../net/turn.ts";
import { EdgeHandshake, HandshakeError } from "./handshake.ts";
import type { EdgeIdentity, HubIdentity, TrunkRefusal } from "./handshake.ts";
import { Patience } from "./patience.ts";
import type { EdgePort, HubPort, HubReport } from "./trunk.ts";
import { TrunkFlush } from "./trunk-flush.ts";
import { decodePong, decodeToEdge, HubPortEncoder } from "./trunk-wire.ts";

/** Why a trunk is gone, or never came: by its own kind, so that a health check can name it. */
export interface TrunkEnd {
  readonly kind:
    | "connect"
    | "connect-timeout"
    | "descriptors"
    | "handshake"
    | "handshake-timeout"
    | "silent"
    | "broken"
    | "lost"
    | "closed";
  /** For kind `handshake`. */
  readonly refusal?: TrunkRefusal;
  /** For kind `silent`: how long it was, once the trunk was open. */
  readonly silentMs?: number;
  /** For an operator. */
  readonly message: string;
}

/** Who hears of a trunk. Calls are synchronous. */
export interface RemoteTrunkEvents {
  /** The handshake is done: sessions may be opened through the port. @returns who is told what the hub says */
  open(hub: HubIdentity): EdgePort;
  /** The answer to a heartbeat. */
  report(report: HubReport, roundTripMs: number): void;
  /** What is to be sent is above high water: stop reading clients. `relief` answers it. */
  pressure(): void;
  relief(): void;
  closed(end: TrunkEnd): void;
}

/** What a trunk needs. */
export interface RemoteTrunkOptions {
  readonly to: Endpoint;
  readonly secret: Uint8Array;
  readonly self: EdgeIdentity;
  readonly clock: Clock;
  /** 32 random hex digits, different each time. */
  nonce(): string;
  readonly events: RemoteTrunkEvents;
  readonly connectMs?: number;
  readonly beatMs?: number;
  /** What is known of the hub from earlier trunks. */
  readonly patience?: Patience;
}

/** So much of what a stranger says is told: enough for its name. */
const STRANGE_BYTES = 60;

/** One life of a trunk. Begins to connect when it is made. */
export class RemoteTrunk implements ConnectionHandlers {
  readonly #options: RemoteTrunkOptions;
  readonly #patience: Patience;
  readonly #decoder = new FrameDecoder(trunkLimits.handshakeFrameBytes);
  readonly #handshake: EdgeHandshake;
  readonly #giveUp = new AbortController();
  readonly #frame = (reader: FrameReader): void => this.#take(reader);
  readonly #beside = (reader: FrameReader): void => this.#pong(reader);
  #connection: Connection | undefined;
  #out: TrunkFlush | undefined;
  #encoder: HubPortEncoder | undefined;
  /** Who is told what the hub says; present while the trunk is open. */
  #edge: EdgePort | undefined;
  #open = false;
  #end: TrunkEnd | undefined;
  #timer: Timer | undefined;
  #heardAt = 0;
  #beatAt = 0;
  #pings = 0;
  #pingAt = 0;

  constructor(options: RemoteTrunkOptions) {
    this.#options = options;
    this.#patience = options.patience ?? new Patience();
    this.#handshake = new EdgeHandshake(options.secret, options.self, options.nonce());
    dial({
      to: options.to,
      settings: {
        clock: options.clock,
        limits: {
          outboxBytes: trunkLimits.edgeOutboxBytes,
          highWaterBytes: trunkLimits.edgeHighWaterBytes,
          lingerMs: edgeLimits.lingerMs,
        },
      },
      opened: (connection) => this.#connected(connection),
      signal: this.#giveUp.signal,
      ...(options.connectMs === undefined ? {} : { timeoutMs: options.connectMs }),
    }).catch((error: unknown) => this.#finished(notDialled(error)));
  }

  /** Where to speak to the hub; only after `open`. */
  get port(): HubPort | undefined {
    return this.#open ? this.#encoder : undefined;
  }

  /** Bytes read and written, for an operator. */
  get traffic(): { readonly bytesIn: number; readonly bytesOut: number } {
    return { bytesIn: this.#connection?.bytesIn ?? 0, bytesOut: this.#connection?.bytesOut ?? 0 };
  }

  /** Ends the trunk after what was said has been sent. `closed` follows. */
  stop(): void {
    this.#giveUp.abort();
    this.#end ??= { kind: "closed", message: "closed by this side" };
    this.#out?.flush();
    this.#connection?.finish();
  }

  data(chunk: Uint8Array): void {
    const now = this.#options.clock.monotonic();
    if (this.#open && !this.#wasAsleep(now)) this.#patience.silent(now - this.#heardAt, now);
    this.#heardAt = now;
    try {
      this.#decoder.push(chunk, this.#frame);
    } catch (error) {
      this.#fail(this.#open ? endOf(error) : strangeEnd(error, chunk));
    }
    flushSoFar();
  }

  pressure(): void {
    this.#options.events.pressure();
  }

  drain(): void {
    this.#options.events.relief();
  }

  overflow(): void {
    this.#fail({
      kind: "silent",
      message: `the server takes in nothing; ${trunkLimits.edgeOutboxBytes} bytes wait for it`,
    });
  }

  close(_end: string, error?: Error): void {
    this.#finished(
      this.#end ?? { kind: "lost", message: error?.message ?? "the server closed the connection" },
    );
  }

  #connected(connection: Connection): ConnectionHandlers {
    this.#connection = connection;
    this.#out = new TrunkFlush(connection);
    this.#encoder = new HubPortEncoder(this.#out.writer, this.#out.wrote);
    connection.write(TRUNK_MAGIC);
    this.#handshake.begin(this.#out.writer);
    this.#out.wrote();
    this.#timer = this.#options.clock.after(trunkLimits.handshakeMs, () => {
      this.#fail({
        kind: "handshake-timeout",
        message: `no handshake within ${trunkLimits.handshakeMs} ms; is this an rtchat server?`,
      });
    });
    return this;
  }

  #take(reader: FrameReader): void {
    if (this.#end !== undefined) return;
    if (this.#edge !== undefined) {
      decodeToEdge(reader, this.#edge, this.#beside);
      return;
    }
    const out = this.#out;
    if (out === undefined) return;
    const hub = this.#handshake.receive(reader, out.writer);
    out.wrote();
    if (hub !== undefined) this.#opened(hub);
  }

  #opened(hub: HubIdentity): void {
    this.#open = true;
    this.#decoder.limit = trunkLimits.frameBytes;
    this.#timer?.stop();
    this.#beatAt = this.#options.clock.monotonic();
    this.#timer = this.#options.clock.every(this.#options.beatMs ?? trunkLimits.beatMs, () => this.#beat());
    this.#edge = this.#options.events.open(hub);
    this.#ping();
  }

  #beat(): void {
    const now = this.#options.clock.monotonic();
    if (this.#wasAsleep(now)) this.#heardAt = now;
    this.#beatAt = now;
    const silentMs = now - this.#heardAt;
    if (silentMs > this.#patience.ms(now)) {
      this.#patience.silent(silentMs, now);
      this.#fail({
        kind: "silent",
        silentMs,
        message: `the server said nothing for ${Math.round(silentMs)} ms`,
      });
    } else if (this.#pingAt === 0) this.#ping();
  }

  /** This loop did not run either: what the hub said meanwhile has not been read yet. */
  #wasAsleep(now: number): boolean {
    return now - this.#beatAt > 2 * (this.#options.beatMs ?? trunkLimits.beatMs);
  }

  #ping(): void {
    this.#pings = (this.#pings + 1) >>> 0;
    this.#pingAt = this.#options.clock.monotonic();
    this.#encoder?.ping(this.#pings);
  }

  #pong(reader: FrameReader): void {
    if (reader.op !== Op.Pong)
      throw new HandshakeError("bad-handshake", `operation ${reader.op} is unknown to this version`);
    const { number, report } = decodePong(reader);
    if (number !== this.#pings || this.#pingAt === 0) return;
    const roundTripMs = this.#options.clock.monotonic() - this.#pingAt;
    this.#pingAt = 0;
    this.#options.events.report(report, roundTripMs);
  }

  #fail(end: TrunkEnd): void {
    this.#end ??= end;
    this.#connection?.terminate();
  }

  #finished(end: TrunkEnd): void {
    this.#timer?.stop();
    this.#out?.stop();
    this.#open = false;
    this.#options.events.closed(end);
  }
}

function notDialled(error: unknown): TrunkEnd {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof DialError ? error.code : "";
  if (code === "ABORTED") return { kind: "closed", message };
  if (code === "EMFILE") return { kind: "descriptors", message };
  return { kind: code === "TIMEOUT" ? "connect-timeout" : "connect", message };
}

/** What was said before the trunk was open: mostly by a web server, an SSH daemon, or an echo. */
function strangeEnd(error: unknown, said: Uint8Array): TrunkEnd {
  if (error instanceof HandshakeError) return endOf(error);
  const words =
    Buffer.from(said.subarray(0, STRANGE_BYTES))
      .toString("latin1")
      .split(/[\r\n]/)[0] ?? "";
  const message = `what answers there is no rtchat server; it says ${quote(words)}`;
  return { kind: "broken", message };
}

function endOf(error: unknown): TrunkEnd {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof HandshakeError) return { kind: "handshake", refusal: error.code, message };
  return { kind: "broken", message: `what the server said could not be read: ${message}` };
}
