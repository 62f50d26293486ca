/** Whole peers in this process: real sockets on loopback, real logs in temporary directories. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { loadOrCreateIdentity } from "../../src/identity/key-file.ts";
import { makeCredentials } from "../../src/identity/certificate.ts";
import { DiskMeshes } from "../../src/mesh/node/disk-meshes.ts";
import type { NodeEvent } from "../../src/mesh/node/events.ts";
import { PeerHome } from "../../src/mesh/node/home.ts";
import { MeshNode } from "../../src/mesh/node/node.ts";
import type { NodeOptions } from "../../src/mesh/node/options.ts";
import { DiskFiles } from "../../src/mesh/transfer/disk-files.ts";
import type { Address } from "../../src/protocol/address.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import type { Cleanup } from "./support.ts";

export interface PeerOptions extends Partial<
  Pick<NodeOptions, "nick" | "invite" | "inviteOnly" | "clock" | "announce">
> {
  readonly connect?: readonly (TestPeer | Address)[];
  readonly directory?: string;
  readonly port?: number;
  /** Hears what happens, beside {@link TestPeer.events}. */
  readonly hear?: (event: NodeEvent) => void;
}

/** One peer and what it told. */
export class TestPeer {
  readonly node: MeshNode;
  readonly directory: string;
  readonly events: NodeEvent[];
  readonly #home: PeerHome;

  constructor(node: MeshNode, directory: string, events: NodeEvent[], home: PeerHome) {
    this.node = node;
    this.directory = directory;
    this.events = events;
    this.#home = home;
  }

  get id() {
    return this.node.self;
  }

  get address(): Address {
    return { host: "127.0.0.1", port: this.node.port ?? 0 };
  }

  /** Peers with a link. */
  get linked(): readonly string[] {
    return this.node.core.links();
  }

  /** `nick: text` of a room, in order. */
  transcript(room = "lobby"): string[] {
    return this.node.core.timeline({ room }, 10_000).map(({ author, text }) => {
      return `${this.node.core.member(author)?.nick ?? author}: ${text}`;
    });
  }

  say(text: string, room = "lobby"): void {
    const written = this.node.publish({ kind: "chat", room, text });
    if (!written.ok) throw new Error(written.message);
  }

  of<Type extends NodeEvent["type"]>(type: Type): Extract<NodeEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<NodeEvent, { type: Type }> => event.type === type);
  }

  async stop(): Promise<void> {
    await this.node.stop();
    this.#home.close();
  }
}

/** Starts a peer; it is stopped when the test ends. */
export async function startPeer(cleanup: Cleanup, options: PeerOptions = {}): Promise<TestPeer> {
  const {
    connect = [],
    directory = cleanup.directory(),
    port = 0,
    clock = systemClock,
    hear,
    ...rest
  } = options;
  const identity = loadOrCreateIdentity(directory);
  const home = new PeerHome(directory);
  const events: NodeEvent[] = [];
  const shared = {
    identity,
    home,
    clock,
    random: Math.random,
    randomBytes: (length: number) => new Uint8Array(randomBytes(length)),
  };
  const node = new MeshNode({
    ...shared,
    opener: new DiskMeshes(shared),
    tls: await makeCredentials(identity),
    nick: undefined,
    fallbackNick: "guest",
    announce: undefined,
    invite: undefined,
    inviteOnly: false,
    lan: false,
    files: new DiskFiles(join(directory, "downloads")),
    listen: { host: "127.0.0.1", port },
    connect: connect.map((to) => (to instanceof TestPeer ? to.address : to)),
    onEvent: (event) => {
      events.push(event);
      hear?.(event);
    },
    ...rest,
  });
  const peer = new TestPeer(node, directory, events, home);
  cleanup.add(() => peer.stop());
  node.start();
  return peer;
}
