/** A cluster for tests: backends with a hub each, behind real trunks, that can be killed, hung and started again. */
import { randomBytes } from "node:crypto";
import { Balancer, type BalancerOptions } from "../../src/balancer/balancer.ts";
import type { BackendView } from "../../src/balancer/view.ts";
import { TrunkAcceptor } from "../../src/edge/trunk-acceptor.ts";
import type { EdgePort, HubHost, HubPort, HubReport } from "../../src/edge/trunk.ts";
import type { Connection } from "../../src/net/connection.ts";
import { listen, type Listener } from "../../src/net/listener.ts";
import { seededRandom, systemClock } from "../../src/protocol/clock.ts";
import { silentLogger, type LogFields, type Logger } from "../../src/protocol/logger.ts";
import { parseWeightedList } from "../../src/protocol/address.ts";
import { FakeHub } from "../edge/fake-hub.ts";
import { eventually } from "../support/deadline.ts";
import { Bare } from "../net/helpers.ts";

const secret = randomBytes(32);
const nonce = () => randomBytes(16).toString("hex");

/** One backend. Every trunk gets a hub of its own, which echoes lines and gives each session a token. */
export class TestBackend implements HubHost {
  readonly name: string;
  cluster: string;
  readonly secret: Uint8Array;
  hubs: FakeHub[] = [];
  draining = false;
  messages = 0;
  readonly #connections = new Set<Connection>();
  #listener: Listener | undefined;
  #port = 0;

  constructor(name: string, options: { cluster?: string; secret?: Uint8Array } = {}) {
    this.name = name;
    this.cluster = options.cluster ?? "c1";
    this.secret = options.secret ?? secret;
  }

  /** Its port; stays the same over restarts. */
  get port(): number {
    return this.#port;
  }

  get id(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Sessions open here now. */
  get open(): number {
    return this.hubs.flatMap(({ sessions }) => sessions).filter(({ closed }) => closed === undefined).length;
  }

  start(): this {
    const acceptor = new TrunkAcceptor({
      host: this,
      secret: this.secret,
      self: { build: "9.9.9", server: this.name, cluster: this.cluster },
      clock: systemClock,
      logger: silentLogger,
      nonce,
    });
    this.#listener = listen({
      at: { host: "127.0.0.1", port: this.#port },
      settings: {
        clock: systemClock,
        limits: { outboxBytes: 1 << 24, highWaterBytes: 1 << 20, lingerMs: 500 },
      },
      accept: (connection) => {
        this.#connections.add(connection);
        return { data: (first) => acceptor.accept(connection, first), close: () => {} };
      },
    });
    this.#port = this.#listener.port;
    return this;
  }

  /** As `kill -9`: the port is closed and every trunk reset. */
  kill(): void {
    this.#listener?.stop();
    for (const connection of this.#connections) connection.terminate();
    this.#connections.clear();
    this.hubs = [];
  }

  attach(edge: EdgePort): { port: HubPort; detach(): void } {
    const hub = new FakeHub();
    hub.edge = edge;
    hub.onOpen = (session) => edge.token(session.id, `token-${session.id}`);
    hub.onLine = (session, line) => {
      this.messages += 1;
      if (line === "fail") edge.close(session.id, "internal");
      else hub.say(session, `${this.name} ${line}`);
    };
    this.hubs.push(hub);
    return { port: hub, detach: () => (this.hubs = this.hubs.filter((other) => other !== hub)) };
  }

  /** What the hub says to everybody: it wants to be left. */
  askToBeLeft(): void {
    this.draining = true;
    for (const hub of this.hubs) hub.edge?.drain();
  }

  report(): HubReport {
    return {
      server: this.name,
      cluster: this.cluster,
      build: "9.9.9",
      sessions: this.open,
      rooms: 0,
      messages: this.messages,
      backplane: "ok",
      backplaneMs: 0.5,
      draining: this.draining,
    };
  }
}

/** A log that a test can read. */
class MemoryLog implements Logger {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];
  #keep =
    (level: string) =>
    (message: string, fields: LogFields = {}) =>
      void this.lines.push({ level, message, fields });
  debug = this.#keep("debug");
  info = this.#keep("info");
  warn = this.#keep("warn");
  error = this.#keep("error");
}

/** A balancer on a free port with quick checks. */
export async function startBalancer(backends: string, options: Partial<BalancerOptions> = {}) {
  const log = new MemoryLog();
  const balancer = new Balancer({
    name: "balancer-1",
    version: "9.9.9",
    clock: systemClock,
    random: seededRandom(1),
    logger: log,
    secret,
    resolve: () => Promise.reject(new Error("no names here")),
    policy: "round-robin",
    slowStartMs: 0,
    checkMs: 100,
    rebalanceRate: 0,
    door: {},
    ...options,
  });
  const address = await balancer.start({ host: "127.0.0.1", port: 0 }, parseWeightedList(backends));
  const port = Number(address.split(":").at(-1));
  const view = async (id: string): Promise<BackendView> => {
    const found = (await balancer.snapshot()).backends.find((backend) => backend.id === id);
    if (found === undefined) throw new Error(`no backend ${id}`);
    return found;
  };
  const states = async () => (await balancer.snapshot()).backends.map(({ state }) => state).join();
  return { balancer, log, address, port, view, states, at: { host: "127.0.0.1", port } };
}

/** A client that speaks lines. */
export class Client {
  readonly bare: Bare;
  constructor(bare: Bare) {
    this.bare = bare;
  }

  static async to(at: { host: string; port: number }): Promise<Client> {
    return new Client(await Bare.to(at));
  }

  /** Says a line and resolves with the answer, a line too. */
  async ask(line: string): Promise<string> {
    const from = this.lines.length;
    this.say(line);
    await eventually(
      () => this.lines.length > from || this.isClosed,
      () => `an answer to ${line.slice(0, 80)}`,
    );
    // As clients do: who is dismissed hangs up too.
    if (this.isClosed) this.stop();
    return this.lines[from] ?? "(closed)";
  }

  say(line: string): void {
    this.bare.open.write(`${line}\n`);
    this.bare.open.flush();
  }

  get lines(): string[] {
    return this.bare.text.split("\n").slice(0, -1);
  }

  /** The balancer has said its last. */
  get isClosed(): boolean {
    return this.bare.events.some((event) => event === "end" || event === "close");
  }

  stop(): void {
    this.bare.open.terminate();
  }
}
