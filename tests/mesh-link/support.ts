/** Parts that the tests of links share: identities in temporary directories, open TLS ports, waiting for conditions. */
import { setDefaultTimeout } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCredentials, type TlsCredentials } from "../../src/identity/certificate.ts";
import { loadOrCreateIdentity, type Identity } from "../../src/identity/key-file.ts";
import { dialTls } from "../../src/net/tls-dial.ts";
import type { TlsFailure } from "../../src/net/tls-failure.ts";
import { listenTls, type TlsListener, type TlsListenOptions } from "../../src/net/tls-listen.ts";
import type { TlsEnd, TlsSocket } from "../../src/net/tls-socket.ts";
import { systemClock } from "../../src/protocol/clock.ts";

/** An identity with its certificate. */
export interface Person extends TlsCredentials {
  readonly identity: Identity;
}

/** Everything a test opened, closed in reverse order by {@link Cleanup.run}. */
export class Cleanup {
  readonly #steps: (() => void | Promise<void>)[] = [];

  /** To be made once a file, at its top. */
  constructor() {
    // A condition that does not come true gives up first, and says what it waited for.
    setDefaultTimeout(60_000);
  }

  add(step: () => void | Promise<void>): void {
    this.#steps.push(step);
  }

  directory(): string {
    const path = mkdtempSync(join(tmpdir(), "rtchat-link-"));
    this.add(() => rmSync(path, { recursive: true, force: true }));
    return path;
  }

  async person(): Promise<Person> {
    const identity = loadOrCreateIdentity(this.directory());
    return { identity, ...(await makeCredentials(identity)) };
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).toReversed()) await step();
  }
}

/** Resolves when `condition` holds; looks again every few milliseconds, and gives up loudly. */
export async function until(condition: () => boolean, what: string, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    await Bun.sleep(3);
  }
}

/** One side of a connection, recorded. */
export class Recorder {
  readonly socket: TlsSocket;
  readonly chunks: Uint8Array[] = [];
  ends: TlsEnd[] = [];
  drains = 0;

  constructor(socket: TlsSocket) {
    this.socket = socket;
    socket.start({
      data: (chunk) => this.chunks.push(chunk),
      drained: () => (this.drains += 1),
      closed: (end) => this.ends.push(end),
    });
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

/** A listening port that records who came and who was refused. */
export class Port {
  readonly accepted: { side: Recorder; admitted: () => void }[] = [];
  readonly refusals: TlsFailure[] = [];
  readonly listener: TlsListener;

  constructor(cleanup: Cleanup, person: Person, options: Partial<TlsListenOptions> = {}) {
    this.listener = listenTls({
      host: "127.0.0.1",
      port: 0,
      identity: person,
      clock: systemClock,
      hint: "This is a peer port",
      accepted: (socket, admitted) => this.accepted.push({ side: new Recorder(socket), admitted }),
      refused: (_remote, failure) => this.refusals.push(failure),
      ...options,
    });
    cleanup.add(() => this.listener.stop());
    cleanup.add(() => {
      for (const { side } of this.accepted) side.socket.destroy({ code: "ours", detail: "the test is over" });
    });
  }

  get port(): number {
    return this.listener.port;
  }
}

/** Dials and waits for the outcome. */
export function dial(
  cleanup: Cleanup,
  person: Person,
  port: number,
  options: { host?: string; timeoutMs?: number; outboxBytes?: number } = {},
): Promise<Recorder | TlsFailure> {
  const { host = "127.0.0.1", ...rest } = options;
  return new Promise((resolve) => {
    dialTls({
      endpoint: { host, port },
      identity: person,
      clock: systemClock,
      opened: (socket) => {
        cleanup.add(() => socket.destroy({ code: "ours", detail: "the test is over" }));
        resolve(new Recorder(socket));
      },
      failed: resolve,
      ...rest,
    });
  });
}

/** A connection between two people, both ends recorded. */
export async function connected(
  cleanup: Cleanup,
  options: { outboxBytes?: number } = {},
): Promise<{ dialler: Recorder; listener: Recorder; port: Port; people: [Person, Person] }> {
  const people: [Person, Person] = [await cleanup.person(), await cleanup.person()];
  const port = new Port(cleanup, people[1], options);
  const dialler = await dial(cleanup, people[0], port.port, options);
  if (!(dialler instanceof Recorder)) throw new Error(`not connected: ${dialler.code} ${dialler.detail}`);
  await until(() => port.accepted.length === 1, "the listener sees the connection");
  return { dialler, listener: port.accepted[0]!.side, port, people };
}
