/**
 * One link to one peer: from an open TLS connection to frames of the mesh, and to its one end.
 *
 * States: `hello` (both introduce themselves), `hosting` (they may ask to be let in), `joining` (we have asked), `ready` (we
 * are done, they are not), `up`, `closed`. Before `up` only small frames of the handshake are taken, each at most once and in its place; a
 * deadline runs; and the peer's key, read from the certificate, has been compared with the one expected before a byte
 * of ours goes out. Only when both sides have said Ready does the mesh core hear of the link.
 *
 * The link decides nothing about membership: it carries what judge.ts decided and asks its owner (LinkOwner) to let
 * somebody in or to adopt a mesh. Silence is watched: a ping when nothing came for a while, the end when still nothing
 * comes, so that a pulled cable is noticed although TCP says nothing.
 */
import { peerIdOfCertificate } from "../../identity/certificate.ts";
import type { TlsEnd, TlsSocket } from "../../net/tls-socket.ts";
import type { Clock, Timer } from "../../protocol/clock.ts";
import { peerLinkLimits } from "../../protocol/limits.peer.ts";
import type { z } from "zod";
import type { PeerId, ReasonCode, Standing } from "../core/api.ts";
import { Bucket } from "../core/link.ts";
import { explainFailure, isLinkCode, type LinkCode, type LinkFailure } from "./failures.ts";
import { encodeFrame, FrameReader, FrameTooLong, FrameType } from "./frames.ts";
import {
  admissionSchema,
  checkTags,
  exporterLabel,
  formerMost,
  helloSchema,
  joinSchema,
  linkVersion,
  makeTags,
  refusalSchema,
  type Admission,
  type Hello,
  type Introduction,
  type Proof,
  type Role,
} from "./hello.ts";
import { judge } from "./judge.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Why somebody is let in; `member`: the log already says so. */
export type AdmittedBy = "secret" | "invite" | "first-use" | "member";

/** What a link needs of its node. Synchronous; must not throw. */
export interface LinkOwner {
  readonly self: PeerId;
  readonly instance: string;
  readonly clock: Clock;
  /** How this node stands now. */
  situation(): Pick<Introduction, "situation" | "seeking" | "rank">;
  /** Mesh secrets, the current one first. */
  secrets(): readonly Uint8Array[];
  /** Secrets of young meshes that were left for the present one, the latest first. */
  formerSecrets(): readonly Uint8Array[];
  standing(peerId: PeerId): Standing;
  /** The token to present to this peer, if an invite pins it. */
  tokenFor(peerId: PeerId): string | undefined;
  /** Lets a stranger in, or says why not. */
  admit(
    link: Link,
    by: "secret" | "invite" | "first-use" | "member",
    token: string | undefined,
  ): Admission | LinkCode;
  /** Before we ask to be let in: may we, now? */
  mayJoin(link: Link): LinkCode | undefined;
  /** They let us in. */
  adopt(link: Link, admission: Admission): LinkCode | undefined;
  /** Both are ready. A code refuses after all. */
  up(link: Link): LinkCode | ReasonCode | undefined;
  frame(link: Link, type: number, payload: Uint8Array): void;
  /** The outbox is empty again after it was not. */
  drained(link: Link): void;
  /** Exactly once. `wasUp` tells whether `up` had been called. */
  closed(link: Link, failure: LinkFailure, wasUp: boolean): void;
}

/** A link; made by the node for each open connection. */
export class Link {
  readonly socket: TlsSocket;
  /** Whose key the certificate holds; undefined when it holds none that we use (the link is then closed at once). */
  readonly peerId: PeerId | undefined;
  readonly #owner: LinkOwner;
  readonly #expected: PeerId | undefined;
  /** A person asked to join this peer. */
  readonly isAsked: boolean;
  readonly #reader: FrameReader;
  readonly #keyingMaterial: Uint8Array;
  readonly #deadline: Timer;
  #state: "hello" | "hosting" | "joining" | "ready" | "up" | "closed" = "hello";
  #ownHello: Hello | undefined;
  /** Why we let them in once they ask. */
  #hostingBy: AdmittedBy | undefined;
  #theirInstance = "";
  #end: LinkFailure | undefined;
  #wasUp = false;
  #heartbeat: Timer | undefined;
  #heardAt: number;
  #pingSentAt: number | undefined;
  #roundTripMs: number | undefined;
  readonly #pings: Bucket;
  #pingsDropped = 0;

  /**
   * @param expected the pin; undefined when this is a first contact
   * @param isAsked a person asked to join this peer
   */
  constructor(owner: LinkOwner, socket: TlsSocket, expected: PeerId | undefined, isAsked: boolean) {
    this.#owner = owner;
    this.#expected = expected;
    this.isAsked = isAsked;
    this.socket = socket;
    this.peerId = peerIdOfCertificate(socket.peerCertificate);
    this.#keyingMaterial = socket.exportKey(exporterLabel);
    this.#heardAt = owner.clock.monotonic();
    this.#pings = new Bucket(peerLinkLimits.pingsPerSecond, peerLinkLimits.pingsAtOnce, this.#heardAt);
    this.#reader = new FrameReader((type, payload) => this.#receive(type, payload));
    this.#deadline = owner.clock.after(peerLinkLimits.handshakeMs, () => this.close("hello-timeout"));
  }

  /** Random per start of the other process; empty before its Hello. */
  get instance(): string {
    return this.#theirInstance;
  }

  /** Of the last ping, ms; undefined before the first answer. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** Begins: checks the pin, says hello. */
  start(): void {
    this.socket.start({
      data: (chunk) => this.#data(chunk),
      drained: () => {
        if (this.#state === "up") this.#owner.drained(this);
      },
      closed: (end) => this.#closed(end),
    });
    const { peerId } = this;
    if (peerId === undefined) return this.close("bad-certificate");
    if (peerId === this.#owner.self) return this.close("own-key");
    if (this.#expected !== undefined && peerId !== this.#expected) return this.close("other-key");
    const tagsFor = (secrets: readonly Uint8Array[]) =>
      makeTags(secrets, this.#role("own"), this.#keyingMaterial);
    const hello: Hello = {
      version: linkVersion,
      instance: this.#owner.instance,
      ...this.#owner.situation(),
      asked: this.isAsked,
      invited: this.#token !== undefined,
      tags: tagsFor(this.#owner.secrets()),
      former: tagsFor(this.#owner.formerSecrets().slice(0, formerMost)),
    };
    this.#ownHello = hello;
    this.#sendJson(FrameType.Hello, hello);
  }

  /**
   * Sends one frame of an up link.
   * @returns false when the link is not up, or its outbox is above `softBytes` and the frame was not taken
   */
  send(type: number, payload: Uint8Array, softBytes: number = peerLinkLimits.outboxSoftBytes): boolean {
    if (this.#state !== "up" || this.socket.queuedBytes > softBytes) return false;
    return this.socket.send(encodeFrame(type, payload));
  }

  /** Ends the link, telling the other side why. */
  close(code: LinkCode | ReasonCode, message: string = explainFailure(code)): void {
    if (this.#state === "closed" || this.#end !== undefined) return;
    this.#end = { code, detail: message };
    this.#reader.stop();
    this.#sendJson(FrameType.Refuse, { code, message: message.slice(0, 400) });
    this.socket.end(code);
  }

  /** Asks for a sign of life; without one the link ends. For a link that a newer one puts in doubt. */
  probe(): void {
    const { clock } = this.#owner;
    const before = clock.monotonic();
    this.#ping();
    clock.after(peerLinkLimits.probeMs, () => {
      if (this.#state === "up" && this.#heardAt <= before) this.close("silence");
    });
  }

  #role(whose: "own" | "their"): Role {
    return (whose === "own") === this.socket.dialled ? "dialler" : "listener";
  }

  #sendJson(type: number, value: unknown): void {
    this.socket.send(encodeFrame(type, Buffer.from(JSON.stringify(value))));
  }

  #data(chunk: Uint8Array): void {
    this.#heardAt = this.#owner.clock.monotonic();
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof FrameTooLong)) throw error;
      this.close("frame-too-long", error.message);
    }
  }

  #receive(type: number, payload: Uint8Array): void {
    if (type === FrameType.Refuse) this.#refused(payload);
    else if (this.#state === "up") this.#receiveUp(type, payload);
    else if (this.#state === "hello" && type === FrameType.Hello) this.#hello(payload);
    else if (this.#state === "hosting" && type === FrameType.Join) this.#joinAsked(payload);
    else if (this.#state === "joining" && type === FrameType.Admit) this.#admitted(payload);
    else if (this.#state === "ready" && type === FrameType.Ready) this.#goUp();
    else this.close("bad-frame", `a frame of type ${type} does not belong here`);
  }

  #hello(payload: Uint8Array): void {
    const hello = parseJson(helloSchema, payload);
    const [own, peer] = [this.#ownHello, this.peerId];
    if (hello === undefined || own === undefined || peer === undefined) return this.close("bad-hello");
    if (hello.version !== linkVersion) {
      return this.close(
        "version",
        `they speak version ${hello.version} of the peer protocol, we ${linkVersion}`,
      );
    }
    this.#theirInstance = hello.instance;
    const verdict = judge({
      self: this.#owner.self,
      peer,
      own,
      theirs: hello,
      proof: this.#check(hello.tags, this.#owner.secrets()),
      moved: this.#whoMoved(hello),
      standing: this.#owner.standing(peer),
    });
    if (verdict.act === "refuse") return this.close(verdict.code);
    if (verdict.act === "link") return this.#ready();
    if (verdict.act === "join") return this.#join();
    if (verdict.by !== "secret") {
      this.#state = "hosting";
      this.#hostingBy = verdict.by;
      return;
    }
    // One who proved the secret has what an admission would bring.
    const admission = this.#owner.admit(this, verdict.by, undefined);
    if (typeof admission === "string") return this.close(admission);
    this.#ready();
  }

  #check(tags: Hello["tags"], secrets: readonly Uint8Array[]): Proof {
    return checkTags(tags, secrets, this.#role("their"), this.#keyingMaterial);
  }

  #whoMoved({ tags, former }: Hello): "ours" | "theirs" | "nobody" {
    if (this.#check(tags, this.#owner.formerSecrets()) !== "none") return "ours";
    return this.#check(former, this.#owner.secrets()) === "none" ? "nobody" : "theirs";
  }

  #join(): void {
    const not = this.#owner.mayJoin(this);
    if (not !== undefined) return this.close(not);
    this.#state = "joining";
    this.#sendJson(FrameType.Join, this.#token === undefined ? {} : { token: this.#token });
  }

  /** The invite's token, if this is the peer whom the invite pins. */
  get #token(): string | undefined {
    const { peerId } = this;
    return this.#expected === undefined || peerId === undefined ? undefined : this.#owner.tokenFor(peerId);
  }

  #joinAsked(payload: Uint8Array): void {
    const join = parseJson(joinSchema, payload);
    if (join === undefined || this.#hostingBy === undefined)
      return this.close("bad-frame", "the wish to join breaks its format");
    const admission = this.#owner.admit(this, this.#hostingBy, join.token);
    if (typeof admission === "string") return this.close(admission);
    this.#sendJson(FrameType.Admit, admission);
    this.#ready();
  }

  #admitted(payload: Uint8Array): void {
    const admission = parseJson(admissionSchema, payload);
    if (admission === undefined) return this.close("bad-frame", "the admission breaks its format");
    const not = this.#owner.adopt(this, admission);
    if (not !== undefined) return this.close(not);
    this.#ready();
  }

  #ready(): void {
    this.#state = "ready";
    this.socket.send(encodeFrame(FrameType.Ready, new Uint8Array()));
  }

  #goUp(): void {
    this.#state = "up";
    this.#deadline.stop();
    this.#reader.limit = peerLinkLimits.frameBytes;
    const not = this.#owner.up(this);
    if (not !== undefined) {
      this.#state = "ready"; // Never seen as up by the owner.
      return this.close(not);
    }
    this.#wasUp = true;
    this.#heartbeat = this.#owner.clock.every(peerLinkLimits.pingMs, () => this.#beat());
    this.#ping();
  }

  #receiveUp(type: number, payload: Uint8Array): void {
    if (type < FrameType.Core) return this.close("bad-frame", `a frame of type ${type} does not belong here`);
    if (type === FrameType.Ping) this.#pinged(payload);
    else if (type === FrameType.Pong) this.#pong();
    else this.#owner.frame(this, type, payload);
  }

  #pinged(payload: Uint8Array): void {
    if (this.#pings.take(1, this.#owner.clock.monotonic())) {
      this.socket.send(encodeFrame(FrameType.Pong, payload.slice(0, 8)));
      return;
    }
    this.#pingsDropped += 1;
    if (this.#pingsDropped > peerLinkLimits.pingsDroppedMost) this.close("misbehaved");
  }

  #beat(): void {
    const silentMs = this.#owner.clock.monotonic() - this.#heardAt;
    if (silentMs >= peerLinkLimits.silenceMs)
      this.close("silence", `nothing was heard for ${Math.round(silentMs / 1000)} s`);
    else this.#ping();
  }

  #ping(): void {
    if (this.#pingSentAt !== undefined) return;
    this.#pingSentAt = this.#owner.clock.monotonic();
    this.socket.send(encodeFrame(FrameType.Ping, new Uint8Array(8)));
  }

  #pong(): void {
    if (this.#pingSentAt === undefined) return;
    this.#roundTripMs = this.#owner.clock.monotonic() - this.#pingSentAt;
    this.#pingSentAt = undefined;
  }

  #refused(payload: Uint8Array): void {
    const refusal = parseJson(refusalSchema, payload) ?? { code: "closed", message: "" };
    this.#reader.stop();
    // Their words are kept as they are; whoever shows them sanitises.
    this.#end ??= isLinkCode(refusal.code)
      ? { code: refusal.code, detail: `they said: ${refusal.message}` }
      : { code: "closed", detail: `they said: ${refusal.code}: ${refusal.message}` };
    this.socket.end("refused");
  }

  #closed(end: TlsEnd): void {
    const wasUp = this.#wasUp;
    this.#state = "closed";
    this.#deadline.stop();
    this.#heartbeat?.stop();
    this.#reader.stop();
    this.#owner.closed(this, this.#end ?? failureOfEnd(end), wasUp);
  }
}

function failureOfEnd({ code, detail }: TlsEnd): LinkFailure {
  const codes = { ours: "closed", theirs: "closed", reset: "reset", "outbox-full": "outbox-full" } as const;
  return { code: codes[code], detail };
}

function parseJson<Value>(schema: z.ZodType<Value>, payload: Uint8Array): Value | undefined {
  try {
    return schema.safeParse(JSON.parse(utf8.decode(payload))).data;
  } catch {
    return undefined; // Not JSON, or not UTF-8.
  }
}
