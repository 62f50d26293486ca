/**
 * A connection of which nobody knows yet what it is.
 *
 * Its first bytes tell: a PROXY header (only from a trusted proxy, and then required), a TLS handshake, a trunk, another
 * protocol, or a client's line. Then it is handed on with the bytes that were read, and this object is forgotten.
 */
import type { Connection, ConnectionEnd, ConnectionHandlers } from "../net/connection.ts";
import { tlsFirstByte } from "../net/tls-failure.ts";
import { formatAddress } from "../protocol/address.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Gate } from "./gate.ts";
import { answerToStranger, trunkFirstByte } from "./stranger.ts";
import { errorLine } from "./words.ts";

/** TLS at an edge. */
export interface EdgeTls {
  /** Certificate and key for a client that comes now. Must not throw. */
  options(): Bun.TLSOptions;
  /** Clients without TLS are refused. */
  readonly required: boolean;
}

/** What a newcomer needs of its edge. */
export interface NewcomerOwner {
  readonly gate: Gate | undefined;
  readonly tls: EdgeTls | undefined;
  /** Whether trunks are taken here. */
  readonly takesTrunks: boolean;
  /** Counts a connection of `ip` in. @returns why not */
  enter(ip: string, address: string): string | undefined;
  /** It is a client; `first` are its first bytes. */
  newcomerIsClient(newcomer: Newcomer, first: Uint8Array): void;
  /** It is a trunk. */
  newcomerIsTrunk(newcomer: Newcomer, first: Uint8Array): void;
  /** It is gone, or will be. */
  newcomerLeft(newcomer: Newcomer): void;
}

function needsTls(): Uint8Array {
  return errorLine("not-a-client", "this port takes TLS only; connect with rtchat client --tls");
}

/** See the head of this file. */
export class Newcomer implements ConnectionHandlers {
  readonly connection: Connection;
  /** Monotonic ms. */
  readonly since: number;
  /** The client's own address, also behind a proxy. */
  ip: string;
  address: string;
  /** The gate has counted it in. */
  entered = false;
  readonly #owner: NewcomerOwner;
  #awaitsHeader: boolean;
  #encrypted = false;
  #held: Uint8Array = new Uint8Array(0);

  constructor(owner: NewcomerOwner, connection: Connection, since: number) {
    this.#owner = owner;
    this.connection = connection;
    this.since = since;
    this.ip = connection.ip;
    this.address = connection.remote;
    this.#awaitsHeader = owner.gate?.isProxy?.(this.ip) ?? false;
  }

  /** Lets it in, or not. Whoever comes through a proxy is judged when it has said for whom. */
  arrive(): void {
    if (!this.#awaitsHeader) this.#enter();
  }

  data(chunk: Uint8Array): void {
    if (this.#awaitsHeader) this.#readHeader(chunk);
    else this.#decide(chunk);
  }

  end(): void {
    this.connection.finish();
  }

  close(_end: ConnectionEnd): void {
    this.#owner.newcomerLeft(this);
  }

  /** Tells it why, and closes it. */
  refuse(code: ErrorCode, message: string): void {
    this.#dismiss(errorLine(code, message));
  }

  #dismiss(words: Uint8Array): void {
    this.connection.write(words);
    this.connection.finish();
  }

  #enter(): boolean {
    const refusal = this.#owner.enter(this.ip, this.address);
    this.entered = refusal === undefined;
    if (refusal === undefined) return true;
    // At once, without lingering: whoever is over a limit gets no descriptor for two seconds more.
    this.connection.writeNow(errorLine("too-many-connections", refusal));
    this.connection.close();
    return false;
  }

  #readHeader(chunk: Uint8Array): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const header = this.#owner.gate?.readPreamble?.(this.#held) ?? { kind: "header", length: 0 };
    if (header.kind === "incomplete") return;
    if (header.kind === "invalid") {
      this.refuse("not-a-client", `${header.detail}; this address is set up as a proxy that sends one`);
      return;
    }
    if (header.source !== undefined) {
      this.ip = header.source.ip;
      this.address = formatAddress({ host: header.source.ip, port: header.source.port });
    }
    const rest = this.#held.subarray(header.length);
    this.#awaitsHeader = false;
    this.#held = new Uint8Array(0);
    if (this.#enter() && rest.length > 0) this.#decide(rest);
  }

  #decide(first: Uint8Array): void {
    const { tls } = this.#owner;
    if (first[0] === tlsFirstByte && tls !== undefined && !this.#encrypted) {
      this.#encrypted = true;
      this.connection.upgrade(tls.options(), first);
      return;
    }
    if (first[0] === trunkFirstByte && this.#owner.takesTrunks) {
      this.#owner.newcomerIsTrunk(this, first);
      return;
    }
    const answer = tls?.required === true && !this.#encrypted ? needsTls() : answerToStranger(first);
    if (answer === undefined) this.#owner.newcomerIsClient(this, first);
    else this.#dismiss(answer);
  }
}
