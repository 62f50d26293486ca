/**
 * The hub's end of trunks over TCP.
 *
 * A connection whose first byte is NUL is given here. It must show the magic and pass the handshake in time and in
 * small frames; then it is attached to the hub as an edge. Whatever breaks afterwards (a frame that is none, an edge that
 * does not read) closes this trunk and no other: its sessions are kept in grace for the edge to bring back.
 *
 * Invariant: `attach` is called at most once a connection, and `detach` exactly once after it.
 */
import type { Connection, ConnectionEnd, ConnectionHandlers, ConnectionLimits } from "../net/connection.ts";
import type { Clock, Timer } from "../protocol/clock.ts";
import { FrameDecoder, Op, TRUNK_MAGIC } from "../protocol/frames.ts";
import type { FrameReader } from "../protocol/frames.ts";
import { edgeLimits, trunkLimits } from "../protocol/limits.ts";
import type { Logger } from "../protocol/logger.ts";
import { flushSoFar } from "../net/turn.ts";
import { HandshakeError, HubHandshake } from "./handshake.ts";
import type { EdgeIdentity, HubIdentity } from "./handshake.ts";
import type { HubHost } from "./trunk.ts";
import { TrunkFlush } from "./trunk-flush.ts";
import { decodeToHub, EdgePortEncoder } from "./trunk-wire.ts";

/** What accepting trunks needs. */
export interface TrunkAcceptorOptions {
  readonly host: HubHost;
  readonly secret: Uint8Array;
  readonly self: HubIdentity;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 32 random hex digits, different each time. */
  nonce(): string;
  /** How long an edge may say nothing, not even ask for a report. */
  readonly silenceMs?: number;
}

/** A listener gives out connections with the limits of clients; an edge carries thousands of them. */
const limits: ConnectionLimits = {
  outboxBytes: trunkLimits.hubOutboxBytes,
  highWaterBytes: trunkLimits.hubOutboxBytes / 2,
  lingerMs: edgeLimits.lingerMs,
};

/** Turns connections into edges of a hub. */
export class TrunkAcceptor {
  readonly #options: TrunkAcceptorOptions;
  readonly #trunks = new Set<AcceptedTrunk>();
  /** What was warned of lately, and when (monotonic). */
  readonly #warned = new Map<string, number>();

  constructor(options: TrunkAcceptorOptions) {
    this.#options = options;
  }

  /** A balancer that does not belong here tries twice a second, for ever: the log has that once a while. */
  #refused(host: string, error: HandshakeError): void {
    const { clock, logger } = this.#options;
    const now = clock.monotonic();
    const what = `${error.code} ${host}`;
    const last = this.#warned.get(what);
    if (last !== undefined && now - last < trunkLimits.refusalWarningMs) return;
    if (this.#warned.size >= trunkLimits.refusalsRemembered) this.#warned.clear();
    this.#warned.set(what, now);
    logger.warn("a trunk is refused", { from: host, code: error.code, reason: error.message });
  }

  /** Trunks that are open or in their handshake. */
  get size(): number {
    return this.#trunks.size;
  }

  /** Takes a connection over. @param first what it has sent so far, beginning with the magic's first byte */
  accept(connection: Connection, first: Uint8Array): void {
    const trunk = new AcceptedTrunk(connection, this.#options, {
      gone: () => this.#trunks.delete(trunk),
      refused: (error) => this.#refused(connection.remote.replace(/:\d+$/, ""), error),
    });
    this.#trunks.add(trunk);
    connection.limits = limits;
    connection.handlers = trunk;
    trunk.data(first);
  }

  /** Ends all trunks after what they were told has been sent. */
  stop(): void {
    for (const trunk of this.#trunks) trunk.finish();
  }
}

type Attached = ReturnType<HubHost["attach"]>;

/** What the acceptor is told of a trunk. */
interface TrunkFate {
  gone(): void;
  refused(error: HandshakeError): void;
}

class AcceptedTrunk implements ConnectionHandlers {
  readonly #connection: Connection;
  readonly #options: TrunkAcceptorOptions;
  readonly #fate: TrunkFate;
  readonly #out: TrunkFlush;
  readonly #port: EdgePortEncoder;
  readonly #decoder = new FrameDecoder(trunkLimits.handshakeFrameBytes);
  readonly #handshake: HubHandshake;
  /** First for the handshake, then for silence. */
  #timer: Timer;
  readonly #frame = (reader: FrameReader): void => this.#take(reader);
  readonly #beside = (reader: FrameReader): void => this.#answer(reader);
  #magic = 0;
  #hasSpoken = false;
  #silentLooks = 0;
  #edge = "";
  #attached: Attached | undefined;

  constructor(connection: Connection, options: TrunkAcceptorOptions, fate: TrunkFate) {
    this.#connection = connection;
    this.#options = options;
    this.#fate = fate;
    this.#out = new TrunkFlush(connection);
    this.#port = new EdgePortEncoder(this.#out.writer, this.#out.wrote);
    this.#handshake = new HubHandshake(options.secret, options.self, options.nonce());
    this.#timer = options.clock.after(trunkLimits.handshakeMs, () => {
      this.#refuse(
        new HandshakeError("bad-handshake", `no trunk handshake within ${trunkLimits.handshakeMs} ms`),
      );
    });
  }

  data(chunk: Uint8Array): void {
    this.#hasSpoken = true;
    let rest = chunk;
    while (this.#magic < TRUNK_MAGIC.length && rest.length > 0) {
      if (rest[0] !== TRUNK_MAGIC[this.#magic]) {
        this.#refuse(new HandshakeError("bad-handshake", "the connection is neither a client nor a trunk"));
        return;
      }
      this.#magic += 1;
      rest = rest.subarray(1);
    }
    try {
      this.#decoder.push(rest, this.#frame);
    } catch (error) {
      this.#refuse(error instanceof HandshakeError ? error : broken(error));
    }
    flushSoFar();
  }

  overflow(): void {
    this.#options.logger.warn("an edge reads too slowly; its trunk is closed", { edge: this.#edge });
    this.#connection.terminate();
  }

  close(end: ConnectionEnd): void {
    this.#timer.stop();
    this.#out.stop();
    const attached = this.#attached;
    this.#attached = undefined;
    attached?.detach();
    if (attached !== undefined) this.#options.logger.info("a trunk is gone", { edge: this.#edge, end });
    this.#fate.gone();
  }

  finish(): void {
    this.#out.flush();
    this.#connection.finish();
  }

  #take(reader: FrameReader): void {
    if (this.#attached !== undefined) {
      decodeToHub(reader, this.#attached.port, this.#beside);
      return;
    }
    const edge = this.#handshake.receive(reader, this.#out.writer);
    this.#out.wrote();
    if (edge !== undefined) this.#attach(edge);
  }

  #attach(edge: EdgeIdentity): void {
    this.#timer.stop();
    const silenceMs = this.#options.silenceMs ?? trunkLimits.edgeSilenceMs;
    this.#timer = this.#options.clock.every(silenceMs / 2, () => this.#listen());
    this.#edge = edge.edge;
    this.#decoder.limit = trunkLimits.frameBytes;
    this.#attached = this.#options.host.attach(this.#port, edge.edge);
    this.#options.logger.info("a trunk is open", {
      edge: edge.edge,
      from: this.#connection.remote,
      build: edge.build,
    });
  }

  /**
   * Two looks in a row without a word: the edge's machine is gone, or its process hangs. A hub that hung itself looks
   * once when it wakes up, and has read what came meanwhile before it looks again.
   */
  #listen(): void {
    if (this.#hasSpoken) this.#silentLooks = 0;
    else this.#silentLooks += 1;
    this.#hasSpoken = false;
    if (this.#silentLooks < 2) return;
    this.#options.logger.warn("an edge has fallen silent; its trunk is closed", { edge: this.#edge });
    this.#connection.terminate();
  }

  #answer(reader: FrameReader): void {
    if (reader.op === Op.Ping) this.#port.pong(reader.u32(), this.#options.host.report());
    else throw new HandshakeError("bad-handshake", `operation ${reader.op} is unknown to this version`);
  }

  /** Says why, if the other side can still understand it, and closes. */
  #refuse(error: HandshakeError): void {
    this.#fate.refused(error);
    if (this.#attached === undefined) {
      HubHandshake.refuse(error, this.#out.writer);
      this.finish();
    } else this.#connection.terminate();
  }
}

function broken(error: unknown): HandshakeError {
  const reason = error instanceof Error ? error.message : String(error);
  return new HandshakeError("bad-handshake", `a frame could not be read: ${reason}`);
}
