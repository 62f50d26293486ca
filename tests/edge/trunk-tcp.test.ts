/** Trunks over real sockets: opening, talking, refusing, and noticing that the other side is gone. */
import { afterEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { Patience } from "../../src/edge/patience.ts";
import { RemoteTrunk } from "../../src/edge/remote-trunk.ts";
import type { TrunkEnd } from "../../src/edge/remote-trunk.ts";
import { TrunkAcceptor } from "../../src/edge/trunk-acceptor.ts";
import type { EdgePort, HubHost, HubPort, HubReport } from "../../src/edge/trunk.ts";
import type { Connection } from "../../src/net/connection.ts";
import { listen } from "../../src/net/listener.ts";
import type { Listener } from "../../src/net/listener.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import type { Clock } from "../../src/protocol/clock.ts";
import type { Logger } from "../../src/protocol/logger.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { trunkLimits } from "../../src/protocol/limits.ts";
import { eventually } from "../support/deadline.ts";
import { ManualClock } from "../support/manual-clock.ts";

const secret = randomBytes(32);
const nonce = (): string => randomBytes(16).toString("hex");
const self = { build: "1.0.0", edge: "balancer" };
const settings = {
  clock: systemClock,
  limits: { outboxBytes: 1 << 20, highWaterBytes: 1 << 19, lingerMs: 500 },
};

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const stop of cleanUp.splice(0)) stop();
});

const report: HubReport = {
  server: "s1",
  cluster: "c1",
  build: "1.0.0",
  sessions: 0,
  rooms: 0,
  messages: 0,
  backplane: "ok",
  backplaneMs: 1,
  draining: false,
};

const deaf: EdgePort = {
  send() {},
  define() {},
  group() {},
  join() {},
  leave() {},
  drop() {},
  replay() {},
  token() {},
  close() {},
  drain() {},
};

/** A hub that answers each line with itself, and remembers who is attached. */
class EchoHost implements HubHost {
  attached = 0;
  edge: EdgePort | undefined;

  attach(edge: EdgePort): { port: HubPort; detach(): void } {
    this.attached += 1;
    this.edge = edge;
    const port: HubPort = {
      open() {},
      resume() {},
      lines: (session, lines) => edge.send(session, lines, 1),
      close() {},
    };
    return {
      port,
      detach: () => {
        this.attached -= 1;
      },
    };
  }

  report(): HubReport {
    return report;
  }
}

const accepted: Connection[] = [];

/** Hubs read nothing, so they say nothing either; or go on with what has come meanwhile. */
function hang(isHanging: boolean): void {
  for (const connection of accepted) {
    if (isHanging) connection.pause();
    else connection.resume();
  }
}

function serve(
  host: HubHost,
  hubSecret: Uint8Array = secret,
  logger: Logger = silentLogger,
  clock: Clock = systemClock,
): Listener {
  const hub = { build: "1.0.0", server: "s1", cluster: "c1" };
  const acceptor = new TrunkAcceptor({
    host,
    secret: hubSecret,
    self: hub,
    clock,
    logger,
    nonce,
  });
  const listener = listen({
    at: { host: "127.0.0.1", port: 0 },
    settings,
    accept: (connection) => {
      accepted.push(connection);
      return { data: (first) => acceptor.accept(connection, first), close() {} };
    },
  });
  cleanUp.push(() => {
    accepted.length = 0;
    listener.stop();
    acceptor.stop();
  });
  return listener;
}

interface Dialled {
  readonly trunk: RemoteTrunk;
  readonly opened: Promise<string>;
  readonly closed: Promise<TrunkEnd>;
  readonly reported: Promise<HubReport>;
  /** All so far. */
  readonly reports: readonly HubReport[];
}

const patienceOf = (silenceMs: number): Patience =>
  new Patience({ silenceMs, silenceMostMs: 10 * silenceMs, silenceHalfMs: 10_000 });

function dialTrunk(
  port: number,
  edge: EdgePort = deaf,
  patience = patienceOf(5_000),
  clock: Clock = systemClock,
): Dialled {
  const opened = Promise.withResolvers<string>();
  const closed = Promise.withResolvers<TrunkEnd>();
  const reported = Promise.withResolvers<HubReport>();
  const reports: HubReport[] = [];
  const trunk = new RemoteTrunk({
    to: { host: "127.0.0.1", port },
    secret,
    self,
    clock,
    nonce,
    beatMs: 20,
    patience,
    events: {
      open: (hub) => {
        opened.resolve(hub.server);
        return edge;
      },
      report: (given) => {
        reports.push(given);
        reported.resolve(given);
      },
      pressure() {},
      relief() {},
      closed: closed.resolve,
    },
  });
  cleanUp.push(() => trunk.stop());
  return { trunk, opened: opened.promise, closed: closed.promise, reported: reported.promise, reports };
}

describe("a trunk over TCP", () => {
  test("opens, carries lines both ways, brings reports, and detaches when it ends", async () => {
    const host = new EchoHost();
    const heard = Promise.withResolvers<string>();
    const { trunk, opened, reported, closed } = dialTrunk(serve(host).port, {
      ...deaf,
      send: (session, bytes, done) => heard.resolve(`${session} ${Buffer.from(bytes).toString()} ${done}`),
    });
    expect(await opened).toBe("s1");
    trunk.port?.lines(7, Buffer.from("hello\n"));
    expect(await heard.promise).toBe("7 hello\n 1");
    expect(await reported).toEqual(report);
    expect(host.attached).toBe(1);
    trunk.stop();
    expect((await closed).kind).toBe("closed");
    while (host.attached > 0) await Bun.sleep(1);
  });

  test("names a wrong secret, on both sides", async () => {
    const host = new EchoHost();
    const { closed } = dialTrunk(serve(host, randomBytes(32)).port);
    expect(await closed).toMatchObject({ kind: "handshake", refusal: "wrong-secret" });
    expect(host.attached).toBe(0);
  });

  test("says that nobody listens", async () => {
    const listener = serve(new EchoHost());
    const { port } = listener;
    listener.stop();
    expect((await dialTrunk(port).closed).kind).toBe("connect");
  });

  test("does not take a web server for a hub", async () => {
    const web = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
    cleanUp.push(() => void web.stop(true));
    const end = await dialTrunk(web.port ?? 0).closed;
    expect(["broken", "lost", "handshake"]).toContain(end.kind);
  });

  test("tells what else answers there, with nothing in it that could command a terminal", async () => {
    const words = "SSH-2.0-Open\u001b[2JSSH\r\nmore";
    const daemon = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: (socket) => void socket.write(words), data: () => {} },
    });
    cleanUp.push(() => daemon.stop(true));
    expect(await dialTrunk(daemon.port).closed).toEqual({
      kind: "broken",
      message: 'what answers there is no rtchat server; it says "SSH-2.0-Open\\u001b[2JSSH"',
    });
  });

  test("notices a hub that has fallen silent", async () => {
    const host = new EchoHost();
    host.report = () => {
      throw new RangeError("a hub that cannot answer");
    };
    const { opened, closed } = dialTrunk(serve(host).port, deaf, patienceOf(100));
    await opened;
    expect(["silent", "lost"]).toContain((await closed).kind);
  });

  test("gives a hub more time when it was given up too soon", async () => {
    const { port } = serve(new EchoHost());
    const clock = new ManualClock();
    const patience = patienceOf(100);
    const first = dialTrunk(port, deaf, patience, clock);
    await first.reported;
    hang(true);
    for (let waited = 0; waited < 140; waited += 20) clock.advance(20);
    expect((await first.closed).kind).toBe("silent");
    const second = dialTrunk(port, deaf, patience, clock);
    let end: TrunkEnd | undefined;
    void second.closed.then((given) => (end = given));
    await second.reported;
    hang(true);
    for (let waited = 0; waited < 180; waited += 20) clock.advance(20);
    hang(false);
    const before = second.reports.length;
    await eventually(
      () => {
        clock.advance(1);
        return second.reports.length > before || end !== undefined;
      },
      () => "an answer after the silence",
    );
    expect(end).toBeUndefined();
  });

  test("does not take a hub for dead because this process itself was stopped", async () => {
    const manual = new ManualClock();
    let slept = 0;
    const clock: Clock = {
      now: () => manual.now(),
      monotonic: () => manual.monotonic() + slept,
      after: (ms, run) => manual.after(ms, run),
      every: (ms, run) => manual.every(ms, run),
    };
    const { opened, closed, reports } = dialTrunk(serve(new EchoHost()).port, deaf, patienceOf(100), clock);
    let end: TrunkEnd | undefined;
    void closed.then((given) => (end = given));
    await opened;
    for (let night = 1; night <= 3; night += 1) {
      const before = reports.length;
      // What the hub said meanwhile has not been read when the first timer fires.
      slept += 60_000;
      await eventually(
        () => {
          manual.advance(20);
          return reports.length > before || end !== undefined;
        },
        () => "an answer after waking up",
      );
      expect(end).toBeUndefined();
    }
  });

  test("notices a process that was stopped, and only then", async () => {
    const script = `
      const { listen } = await import(${JSON.stringify(`${import.meta.dir}/../../src/net/listener.ts`)});
      const { TrunkAcceptor } = await import(${JSON.stringify(`${import.meta.dir}/../../src/edge/trunk-acceptor.ts`)});
      const { systemClock } = await import(${JSON.stringify(`${import.meta.dir}/../../src/protocol/clock.ts`)});
      const { silentLogger } = await import(${JSON.stringify(`${import.meta.dir}/../../src/protocol/logger.ts`)});
      const port = { open() {}, resume() {}, lines() {}, close() {} };
      const host = { attach: () => ({ port, detach() {} }), report: () => (${JSON.stringify(report)}) };
      const acceptor = new TrunkAcceptor({ host, secret: Buffer.from(${JSON.stringify(secret.toString("hex"))}, "hex"),
        self: { build: "1.0.0", server: "s1", cluster: "c1" }, clock: systemClock, logger: silentLogger,
        nonce: () => "0".repeat(32) });
      const limits = { outboxBytes: 1e6, highWaterBytes: 1e5, lingerMs: 500 };
      const listener = listen({ at: { host: "127.0.0.1", port: 0 }, settings: { clock: systemClock, limits },
        accept: (c) => ({ data: (first) => acceptor.accept(c, first), close() {} }) });
      console.log(listener.port);`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
    cleanUp.push(() => child.kill("SIGKILL"));
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    const { opened, reported, closed } = dialTrunk(
      Number(Buffer.from(value ?? []).toString()),
      deaf,
      patienceOf(300),
    );
    await opened;
    await reported;
    child.kill("SIGSTOP");
    expect((await closed).kind).toBe("silent");
    child.kill("SIGCONT");
  });

  test("refuses noise on the hub's side without harm to others", async () => {
    const host = new EchoHost();
    const listener = serve(host);
    const good = dialTrunk(listener.port);
    await good.opened;
    for (const noise of [
      [0, 1, 2, 3],
      [0, 0x72, 0x74, 0x31, 255, 255, 255, 255],
      [0, 0x72, 0x74, 0x31, 1, 0, 0, 0, 4],
    ]) {
      const gone = Promise.withResolvers<void>();
      const socket = await Bun.connect({
        hostname: "127.0.0.1",
        port: listener.port,
        socket: { data() {}, close: () => gone.resolve() },
      });
      socket.write(new Uint8Array(noise));
      await gone.promise;
    }
    expect(host.attached).toBe(1);
    expect(await good.reported).toEqual(report);
  });
});

test("a hub takes an edge for gone at the second look in vain, and not while it is heard", async () => {
  const clock = new ManualClock();
  const host = new EchoHost();
  const { port } = serve(host, secret, silentLogger, clock);
  let heard = 0;
  // On a clock that stands still an edge asks once, and then says what the test lets it say.
  const { trunk, reported } = dialTrunk(
    port,
    { ...deaf, send: () => (heard += 1) },
    patienceOf(5_000),
    new ManualClock(),
  );
  await reported;
  const look = (): number => {
    clock.advance(trunkLimits.edgeSilenceMs / 2);
    return host.attached;
  };
  expect([look(), look()]).toEqual([1, 1]);
  trunk.port?.lines(1, Buffer.from("here\n"));
  await eventually(
    () => heard === 1,
    () => "the echo",
  );
  expect([look(), look(), look()]).toEqual([1, 1, 0]);
});

test("a balancer that does not belong here and tries again and again is warned of once", async () => {
  const warned: unknown[] = [];
  const logger = { ...silentLogger, warn: (_: string, fields?: object) => warned.push(fields) };
  const { port } = serve(new EchoHost(), randomBytes(32), logger);
  for (let time = 0; time < 5; time += 1) await dialTrunk(port).closed;
  expect(warned).toEqual([
    { from: "127.0.0.1", code: "wrong-secret", reason: expect.stringContaining("--cluster-secret-file") },
  ]);
});
