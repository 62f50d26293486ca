/** The balancer as an operator meets it: the compiled binary, its servers, signals, workers, and curl. */
import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { snapshotSchema } from "../../src/admin/schemas.ts";
import type { Snapshot } from "../../src/balancer/view.ts";
import { Client } from "../balancer/cluster.ts";
import { eventually } from "../support/deadline.ts";
import { rtchatBinary } from "../support/binary.ts";
import { openLab, type Running, type StartOptions } from "../support/lab.ts";

const lab = openLab();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Started {
  readonly running: Running;
  readonly facts: Record<string, string>;
}

const start = (...args: readonly string[]) => startWith({}, ...args);

async function startWith(options: StartOptions, ...args: readonly string[]): Promise<Started> {
  const running = await lab.startWith(options, ...args);
  cleanups.push(() => running.destroy());
  return { running, facts: await running.ready() };
}

const portOf = (address = ""): string => address.split(":").at(-1) ?? "";

/** A data folder that nobody else uses: a cluster of its own. */
const newData = async () => join(await lab.folder(), `data-${crypto.randomUUID()}`);

async function servers(count: number, data: string) {
  const names = Array.from({ length: count }, (_, index) => `s${index + 1}`);
  return Promise.all(
    names.map(async (name) => {
      const started = await start("server", "--port", "0", "--name", name, "--data", data);
      return { ...started, name, port: portOf(started.facts["listen"]) };
    }),
  );
}

const balancer = (backends: readonly string[], data: string, ...more: readonly string[]) =>
  balancerWith({}, backends, data, ...more);

async function balancerWith(
  options: StartOptions,
  backends: readonly string[],
  data: string,
  ...more: readonly string[]
) {
  const named = backends.length === 0 ? [] : ["--backends", backends.join(",")];
  const flags = ["--port", "0", "--admin", "0", "--data", data, ...more];
  const started = await startWith(options, "balancer", ...named, ...flags);
  const admin = `http://${started.facts["admin"]}`;
  const status = async (): Promise<Snapshot> => {
    const [stats, list] = await Promise.all(
      ["stats", "backends"].map(async (path) => (await fetch(`${admin}/api/v1/${path}`)).json()),
    );
    return snapshotSchema.parse({ ...Object(stats), ...Object(list) });
  };
  const settled = (wanted: string) =>
    eventually(
      async () => (await status()).backends.map(({ state }) => state).join() === wanted,
      () => `states ${wanted}`,
    );
  const at = { host: "127.0.0.1", port: Number(portOf(started.facts["listen"])) };
  return { ...started, admin, status, settled, at };
}

/** Somebody in the lobby. */
async function visitor(at: { host: string; port: number }, nick: string): Promise<Client> {
  const client = await Client.to(at);
  cleanups.push(() => client.stop());
  client.say(JSON.stringify({ type: "hello", version: 1, nick }));
  client.say(JSON.stringify({ type: "join", room: "lobby" }));
  await sees(client, /"type":"joined"/);
  return client;
}

const sees = (client: Client, pattern: RegExp) =>
  eventually(
    () => client.lines.some((line) => pattern.test(line)),
    () => `${pattern} in\n${client.lines.join("\n")}`,
  );

const texts = (client: Client) =>
  client.lines.flatMap((line) => {
    const { type, text } = JSON.parse(line) as { type: string; text?: string };
    return type === "message" && text !== undefined ? [text] : [];
  });

describe("a cluster", () => {
  test("shares people evenly, shows messages to all, and survives a killed server unnoticed", async () => {
    const data = await newData();
    const all = await servers(3, data);
    const { at, status, settled, admin } = await balancer(
      all.map(({ port }) => port),
      data,
    );
    await settled("up,up,up");
    const people = [];
    for (const nick of ["ana", "ben", "eva"]) people.push(await visitor(at, nick));
    const [ana, ben, eva] = people as [Client, Client, Client];
    const before = await status();
    expect(before.backends.map(({ selected }) => selected)).toEqual([1, 1, 1]);
    expect(before.backends.map(({ server }) => server)).toEqual(["s1", "s2", "s3"]);
    const health = (await (await fetch(`${admin}/health`)).json()) as {
      status: string;
      backends: { selected: number }[];
    };
    expect([health.status, ...health.backends.map(({ selected }) => selected)]).toEqual(["pass", 1, 1, 1]);
    ana.say(JSON.stringify({ type: "send", room: "lobby", text: "one" }));
    await Promise.all(people.map((client) => sees(client, /"text":"one"/)));

    all[1]!.running.kill("SIGKILL");
    await settled("up,down,up");
    ben.say(JSON.stringify({ type: "send", room: "lobby", text: "two" }));
    await Promise.all(people.map((client) => sees(client, /"text":"two"/)));
    const ida = await visitor(at, "ida");
    ida.say(JSON.stringify({ type: "send", room: "lobby", text: "three" }));
    await Promise.all(people.map((client) => sees(client, /"text":"three"/)));
    for (const client of people) expect(texts(client)).toEqual(["one", "two", "three"]);
    expect(people.some((client) => client.isClosed)).toBe(false);
    // Nobody was seen to leave or come but ida, and those who came after.
    const presence = ana.lines.filter((line) => line.includes('"type":"presence"'));
    expect(presence.map((line) => (JSON.parse(line) as { nick: string }).nick)).toEqual([
      "ben",
      "eva",
      "ida",
    ]);
    const after = await status();
    expect(after.handovers).toEqual({ in: 1, out: 1 });
    expect(after.sessions).toMatchObject({ current: 4, total: 4, held: 0 });
    expect(after.selected - after.failures).toBe(after.sessions.total);
    expect(eva.isClosed).toBe(false);
  });
});

describe("with one server, found by name", () => {
  test("people are held while it is away, told so, and go on where they were", async () => {
    const data = await newData();
    const [only] = (await servers(1, data)) as [Awaited<ReturnType<typeof servers>>[number]];
    const { at, settled, status } = await balancer([`localhost:${only.port}`], data);
    await settled("up");
    const ana = await visitor(at, "ana");
    const ben = await visitor(at, "ben");
    only.running.kill("SIGKILL");
    await settled("down");
    ana.say(JSON.stringify({ type: "send", room: "lobby", text: "into the silence" }));
    const late = Client.to(at).then((client) => {
      cleanups.push(() => client.stop());
      client.say(JSON.stringify({ type: "hello", version: 1, nick: "late" }));
      return client;
    });
    await sees(ana, /"type":"notice","code":"holding"/);
    await eventually(
      async () => (await status()).sessions.held === 3,
      () => "three who wait",
    );
    await start("server", "--port", only.port, "--name", "s1", "--data", data);
    await Promise.all([ana, ben].map((client) => sees(client, /into the silence/)));
    await sees(ana, /"type":"notice","code":"restored"/);
    await sees(await late, /"type":"welcome"/);
    expect(texts(ana)).toEqual(["into the silence"]);
    await eventually(
      async () => (await status()).sessions.current === 3,
      () => "three who are served",
    );
    expect((await status()).sessions).toMatchObject({ held: 0, refused: 0 });
  });
});

describe("the README's curl examples", () => {
  const readme = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");
  const examples = readme.split("\n").filter((line) => line.startsWith("curl "));

  test("run as they are, in their order", async () => {
    expect(examples.length).toBeGreaterThan(9);
    const data = await newData();
    const all = await servers(3, data);
    const ports = all.map(({ port }) => port);
    const { settled, admin, status } = await balancer(ports.slice(0, 2), data);
    await settled("up,up");
    for (const example of examples) {
      const line = example
        .replaceAll("127.0.0.1:8080", new URL(admin).host)
        .replaceAll(/\b800([123])\b/g, (_, digit: string) => ports[Number(digit) - 1] ?? "");
      const ended = await (
        await lab.startWith({ command: ["sh", "-c", line.replace("curl -s", "curl -sS --fail-with-body")] })
      ).ended();
      expect([line, ended.code, ended.stderr]).toEqual([line, 0, ""]);
      expect(ended.stdout).not.toBe("");
    }
    expect((await status()).backends.map(({ id }) => portOf(id))).toEqual(ports.slice(0, 2));
  });
});

describe("signals", () => {
  test("SIGHUP reads the file again, and a file that is wrong changes nothing", async () => {
    const data = await newData();
    const all = await servers(2, data);
    const file = join(await lab.folder(), `backends-${crypto.randomUUID()}`);
    await writeFile(file, `${all[0]!.port} # the first\n`);
    const { running, settled, status } = await balancer([], data, "--backends-file", file);
    await settled("up");
    await writeFile(file, all.map(({ port }) => port).join("\n"));
    running.kill("SIGHUP");
    await settled("up,up");
    await writeFile(file, "8001\nwhat?\n");
    running.kill("SIGHUP");
    await running.line(/error the backends stay as they are: .*what\?/, "stderr");
    await writeFile(file, "# being written\n");
    running.kill("SIGHUP");
    await running.line(/error the backends stay as they are: .* names none/, "stderr");
    expect((await status()).backends).toHaveLength(2);
    await writeFile(file, all[1]!.port);
    running.kill("SIGHUP");
    await settled("up");
    expect((await status()).backends.map(({ id }) => portOf(id))).toEqual([all[1]!.port]);
  });

  test("SIGTERM tells people to come back, and ends with 0; a second one ends at once", async () => {
    const data = await newData();
    const all = await servers(1, data);
    const { running, settled, at } = await balancer([all[0]!.port], data);
    await settled("up");
    const ana = await visitor(at, "ana");
    const stopped = running.stop("SIGTERM");
    await sees(ana, /"type":"going-away"/);
    ana.stop();
    expect((await stopped).code).toBe(0);

    // Who does not hang up is not waited for without end.
    const patient = await balancer([all[0]!.port], data);
    await patient.settled("up");
    await visitor(patient.at, "eva");
    const from = performance.now();
    expect((await patient.running.stop("SIGTERM")).code).toBe(0);
    expect(performance.now() - from).toBeLessThan(10_000);

    const second = await balancer([all[0]!.port], data);
    await second.settled("up");
    await visitor(second.at, "ben");
    second.running.kill("SIGTERM");
    await second.running.line(/stopping/, "stderr");
    expect((await second.running.stop("SIGTERM")).code).toBe(143);
  });

  test("the log has one JSON line a session, without what was said", async () => {
    const data = await newData();
    const all = await servers(1, data);
    const { running, settled, at } = await balancer([all[0]!.port], data, "--log-format", "json");
    await settled("up");
    const ana = await visitor(at, "ana");
    ana.say(JSON.stringify({ type: "send", room: "lobby", text: "a secret" }));
    await sees(ana, /a secret/);
    ana.stop();
    const line = JSON.parse(await running.line(/session ended/, "stderr")) as Record<string, unknown>;
    expect(line).toMatchObject({ level: "info", backend: `127.0.0.1:${all[0]!.port}`, lines: 3, moves: 0 });
    const keys = "client backend durationMs bytesIn bytesOut lines moves why time level message";
    expect(Object.keys(line).join(" ")).toBe(keys);
    expect(running.output.stderr).not.toContain("a secret");
  });
});

describe("file descriptors", () => {
  test("that run out cost newcomers, told so, and neither those inside, nor the servers, nor a processor", async () => {
    const data = await newData();
    const all = await servers(2, data);
    const limited = ["sh", "-c", 'ulimit -n 200; exec "$0" "$@"', await rtchatBinary()];
    const { running, facts, status, settled, at } = await balancerWith(
      { command: limited },
      all.map(({ port }) => port),
      data,
    );
    await settled("up,up");
    // 128 are kept free for everything else.
    await running.line(
      /warn {2}the limit of open files leaves room for less .*limit=200 connections=72/,
      "stderr",
    );
    const ana = await visitor(at, "ana");
    const crowd = await Promise.all(Array.from({ length: 300 }, () => Client.to(at)));
    for (const client of crowd) cleanups.push(() => client.stop());
    const told = () =>
      crowd.filter((client) => client.lines.some((line) => line.includes("too-many-connections")));
    await eventually(
      () => told().length > 200,
      () => "refusals",
    );
    ana.say(JSON.stringify({ type: "send", room: "lobby", text: "still here" }));
    await sees(ana, /still here/);
    const before = await status();
    expect(before.backends.map(({ state, checks }) => [state, checks.failed])).toEqual([
      ["up", 0],
      ["up", 0],
    ]);
    const { total, descriptors } = before.refused;
    expect(total + descriptors).toBe(told().length);
    const ticks = () => {
      const fields = readFileSync(`/proc/${running.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      return Number(fields[11]) + Number(fields[12]);
    };
    const used = ticks();
    await Bun.sleep(1_000);
    // Of 100 ticks in a second; heartbeats and checks take two or three.
    expect(ticks() - used).toBeLessThan(40);
    for (const client of crowd) client.stop();
    await eventually(
      async () => (await status()).connections.current === 1,
      () => "room",
    );
    await visitor(at, "ben");
    expect(facts["listen"]).toBeDefined();
  });
});

test("a limit of descriptors that leaves room for nobody is told at once", async () => {
  const limited = ["sh", "-c", 'ulimit -n 100; exec "$0" "$@"', await rtchatBinary()];
  const tried = await lab.startWith(
    { command: limited, input: "" },
    "balancer",
    "--port",
    "0",
    "--admin",
    "0",
  );
  const { code, stderr } = await tried.ended();
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr:
      "rtchat balancer: the limit of 100 open files leaves room for nobody\nhint: raise it: ulimit -n 20000\n",
  });
});

describe("several workers", () => {
  test("share one port, are summed, obey together, and are replaced when they die", async () => {
    const data = await newData();
    const all = await servers(2, data);
    const { running, settled, status, at, admin } = await balancer(
      all.map(({ port }) => port),
      data,
      "--workers",
      "2",
    );
    await settled("up,up");
    const people: Client[] = [];
    // The kernel decides who gets whom; sixteen all with one worker is a chance of one in 32,768 a try.
    for (let turn = 0; turn < 16; turn += 1) people.push(await visitor(at, `p${turn}`));
    const sum = await status();
    expect(sum).toMatchObject({ workers: 2, sessions: { current: 16, total: 16 }, selected: 16 });
    expect(sum.backends.reduce((total, { sessions }) => total + sessions.current, 0)).toBe(16);
    const seen = new Set<string>();
    let after = "";
    for (let page = 0; page < 20; page += 1) {
      const { sessions, next } = (await (await fetch(`${admin}/api/v1/sessions?limit=3${after}`)).json()) as {
        sessions: { id: string; backend: string }[];
        next: string | null;
      };
      for (const { id } of sessions) seen.add(id);
      if (next === null) break;
      after = `&after=${next}`;
    }
    expect(seen.size).toBe(16);
    expect(new Set([...seen].map((id) => id.split("-")[0])).size).toBe(2);

    const drain = await fetch(`${admin}/api/v1/backends/${all[0]!.port}/drain`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(drain.status).toBe(200);
    await eventually(
      async () => (await status()).backends[0]?.sessions.current === 0,
      () => "the drain in both workers",
    );
    expect(people.some((client) => client.isClosed)).toBe(false);

    const worker = await lab.startWith({
      command: ["sh", "-c", `ps -o pid= --ppid ${running.pid} | head -1`],
    });
    const pid = Number((await worker.ended()).stdout);
    process.kill(pid, "SIGKILL");
    await running.line(/died, starting it again/, "stderr");
    // The new one is told what the others were told.
    await eventually(
      async () => {
        const { workers, backends } = await status();
        return workers === 2 && backends[0]?.state === "draining";
      },
      () => "two workers that drain",
    );
    // What the dead one had counted was shown, and stays.
    expect((await status()).selected).toBeGreaterThanOrEqual(16);
    for (const client of people) client.stop();
    expect((await running.stop("SIGTERM")).code).toBe(0);
    const left = await lab.startWith({ command: ["sh", "-c", `ps -o pid= --ppid ${running.pid}`] });
    expect((await left.ended()).stdout).toBe("");
  });
});

describe("rtchat status", () => {
  test("shows the table, and tells by its exit code whether people can be served", async () => {
    const data = await newData();
    const all = await servers(1, data);
    // Not a port that was free a moment ago: another test may have it now.
    const deadPort = "1";
    const { settled, admin, running } = await balancer([all[0]!.port, deadPort], data);
    await settled("up,down");
    const shown = await lab.run("status", "--admin", admin);
    expect([shown.code, shown.stderr]).toEqual([0, ""]);
    expect(shown.stdout).toMatch(/^rtchat balancer on 127\.0\.0\.1:\d+: degraded \(up .*, round-robin\)\n/);
    expect(shown.stdout).toMatch(new RegExp(`^127\\.0\\.0\\.1:${all[0]!.port} +up `, "m"));
    expect(shown.stdout).toMatch(new RegExp(`^127\\.0\\.0\\.1:${deadPort} +down L4CON `, "m"));
    expect(shown.stdout).toContain("nobody listens there");
    expect(shown.stdout).not.toContain("\u001b");
    const json = await lab.run("status", "--admin", admin, "--json");
    expect(snapshotSchema.parse(JSON.parse(json.stdout)).backends).toHaveLength(2);
    await all[0]!.running.stop("SIGKILL");
    await settled("down,down");
    expect((await lab.run("status", "--admin", admin)).code).toBe(1);
    await running.stop("SIGTERM");
    const gone = await lab.run("status", "--admin", admin);
    expect([gone.code, gone.stdout]).toEqual([1, ""]);
    expect(gone.stderr).toStartWith(`rtchat status: no balancer answers at ${admin}\nhint: `);
  });

  test("asks a balancer on this machine directly, whatever proxies the environment names", async () => {
    const { admin, settled } = await balancer(["1"], await newData());
    await settled("down");
    const asked: string[] = [];
    const proxy = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        asked.push(request.url);
        return new Response("a proxy", { status: 502 });
      },
    });
    const proxied = `http://127.0.0.1:${proxy.port}`;
    const env = { HTTP_PROXY: proxied, http_proxy: proxied, no_proxy: "example.org" };
    const token = ["--admin-token", "not for a proxy"];
    try {
      for (const at of [admin, admin.replace("127.0.0.1", "localhost")]) {
        const looked = await lab.startWith({ env, input: "" }, "status", "--json", "--admin", at, ...token);
        expect(snapshotSchema.parse(JSON.parse((await looked.ended()).stdout)).backends).toHaveLength(1);
      }
    } finally {
      await proxy.stop(true);
    }
    expect(asked).toEqual([]);
  });

  test("gives the token, and says when it is missing or wrong", async () => {
    const token = "0123456789abcdef";
    const file = join(await lab.folder(), "token");
    await writeFile(file, `${token}\n`);
    const { admin } = await balancer(["1"], await newData(), "--admin-token-file", file);
    const status = (...more: string[]) => lab.run("status", "--admin", admin, ...more);
    expect((await status()).stderr).toContain("asks for a token");
    expect((await status("--admin-token", "wrong")).stderr).toContain("does not accept this token");
    const right = await status("--admin-token", token, "--json");
    expect(snapshotSchema.parse(JSON.parse(right.stdout)).backends).toHaveLength(1);
  });

  test.each([
    [110, 20, /down L4CON ([3-9]|\d\d+) s/],
    [40, 6, /lines more/],
  ])("keeps watching on a terminal of %d x %d, in place, until Ctrl-C", async (columns, rows, shows) => {
    const { admin, settled } = await balancer(["1"], await newData());
    await settled("down");
    const screen = await lab.terminal({ columns, rows }, "status", "--watch", "--admin", admin);
    const shown = await screen.see(shows);
    expect(shown.match(/rtchat balancer on/g)).toHaveLength(1);
    screen.press("ctrl-c");
    expect(await screen.ended()).toBe(0);
    // The last picture stays.
    expect(screen.history().match(/rtchat balancer on/g)).toHaveLength(1);
  });
});

describe("mistakes", () => {
  test.each([
    [["--backends", "8001,8001"], 2, "127.0.0.1:8001 is twice"],
    [["--backends", "0"], 2, "has port 0"],
    [["--backends", "8001*300"], 2, "is not a weight"],
    [["--policy", "random"], 2, '"random" is none of round-robin, least-sessions, two-choices'],
    [["--admin", "0.0.0.0:0"], 2, "would be open to the network; give --admin-token"],
    [["--admin-token", "short"], 2, "the admin token has 5 characters"],
    [["--admin-token", "0123456789abcdef", "--admin-token-file", "x"], 2, "are both given"],
    [["--admin-token-file", "/nowhere/token"], 1, "cannot read /nowhere/token"],
    [["--backends-file", "/nowhere/list"], 1, "cannot read /nowhere/list"],
    [["--proxy-protocol-from", "10.0.0.0/99"], 2, '"10.0.0.0/99" is not a network'],
    [["--cluster-secret-file", "/nowhere/secret"], 1, "cluster secret at /nowhere/secret"],
    [["--workers", "0"], 2, "from 1 to 64"],
    [["--check-interval", "20ms"], 2, '"20ms" is too short; at least 500ms'],
    [["--check-interval", "0"], 2, '"0" is too short'],
    [["--port", "18000", "--admin", "18000"], 2, "--port and --admin are both 127.0.0.1:18000"],
    [["--backends-file", "/tmp"], 1, "cannot read /tmp: /tmp is a folder"],
    [["--backends-file", "/dev/zero"], 1, "/dev/zero has more than 1048576 bytes"],
  ] as const)("%j", async (flags, code, says) => {
    const given: readonly string[] = flags;
    const others = ["--port", "--admin"].flatMap((flag) => (given.includes(flag) ? [] : [flag, "0"]));
    const ended = await lab.run("balancer", ...others, ...flags);
    expect([ended.code, ended.stdout]).toEqual([code, ""]);
    expect(ended.stderr).toContain(says);
    expect(ended.stderr).not.toContain("short ");
  });

  test("a port in use is named, the client's and the admin's, with one process or several", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    cleanups.push(() => taken.close());
    const port = String(Object(taken.address()).port);
    const data = await newData();
    for (const more of [[], ["--workers", "2"]]) {
      const client = await lab.run("balancer", "--port", port, "--no-admin", "--data", data, ...more);
      expect([client.code, client.stderr.includes(`127.0.0.1:${port}`)]).toEqual([1, true]);
      const admin = await lab.run("balancer", "--port", "0", "--admin", port, "--data", data, ...more);
      expect(admin.code).toBe(1);
      expect(admin.stderr).toContain(
        `admin endpoint: cannot listen on 127.0.0.1:${port}: another process does`,
      );
    }
  });
});
