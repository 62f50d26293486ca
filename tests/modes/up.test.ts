/** `rtchat up` as a process with children; they are small stand-ins, the supervisor and everything around it is real. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { eventually } from "../support/deadline.ts";
import { openLab, type Running } from "../support/lab.ts";

const lab = openLab();
const fakes = join(import.meta.dir, "fixtures/fakes.ts");
let folders = 0;

/** A cluster on free ports, without an admin endpoint. */
function up(fake: string, ...args: string[]): Promise<Running> {
  return upOn(fake, "--port", "0", "--no-admin", ...args);
}

async function upOn(fake: string, ...args: string[]): Promise<Running> {
  folders += 1;
  const data = join(await lab.folder(), `data-${folders}`);
  await mkdir(data);
  const command = [process.execPath, fakes, "up", "--data", data, ...args];
  return lab.startWith({ command, env: { FAKE: fake, RTCHAT_NAME: "for-nobody", RTCHAT_BACKENDS: "9" } });
}

/** The first line that whoever listens there says; "" when nobody does. */
function ask(address: string): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((done) => {
    let text = "";
    const socket = connect({ host, port: Number(port) });
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => (text += chunk));
    socket.on("error", () => done(""));
    socket.on("close", () => done(text.trim()));
  });
}

/** Process IDs of the direct children (proc(5)). */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").map(Number).filter(Boolean);
}
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
/** The child whose command line has `word`. */
function childWith(pid: number, word: string): number {
  const found = childrenOf(pid).find((child) =>
    // A whole word: the folder that the program lies in may be called anything.
    readFileSync(`/proc/${child}/cmdline`, "utf8").split("\0").includes(word),
  );
  if (found === undefined) throw new Error(`no child of ${pid} has ${word} in its command line`);
  return found;
}

describe("rtchat up", () => {
  test("starts servers, then a balancer that names them, and shows one log", async () => {
    const cluster = await up("", "--servers", "2");
    const facts = await cluster.ready();
    const servers = facts["servers"]!.split(",");
    expect(await Promise.all([...servers, facts["listen"]!].map(ask))).toEqual([
      "server-1",
      "server-2",
      "balancer",
    ]);
    await cluster.line(/^ {2}stop +Ctrl-C$/m, "stderr");
    const { stderr } = cluster.output;
    expect(stderr).toMatch(/^server-1 \| [\d:.]+ info {2}ready listen=127\.0\.0\.1:\d+$/m);
    expect(stderr).toMatch(/^balancer \| [\d:.]+ info {2}ready /m);
    expect(stderr).toContain(`backends=${facts["servers"]}`);
    expect(stderr).toContain(`rtchat is up: 2 servers, people connect to ${facts["listen"]}`);
    expect(stderr).toContain(`rtchat client --nick YOU --connect ${facts["listen"]}`);
    await cluster.stop("SIGINT");
  });

  test("stops the balancer first, then the servers, and exits with 0", async () => {
    const cluster = await up("", "--servers", "2");
    const facts = await cluster.ready();
    const children = childrenOf(cluster.pid);
    expect(children).toHaveLength(3);
    const { code, stderr } = await cluster.stop("SIGINT");
    expect(code).toBe(0);
    const order = [...stderr.matchAll(/stopped name=(\S+) reason=(\S+)/g)].map(
      ([, name, reason]) => `${name} ${reason}`,
    );
    expect(order[0]).toBe("balancer SIGTERM");
    expect(order.slice(1).sort()).toEqual(["server-1 SIGTERM", "server-2 SIGTERM"]);
    expect(children.filter(isAlive)).toEqual([]);
    expect(await ask(facts["listen"]!)).toBe("");
  });

  test("starts a server again that was killed, on the port it had", async () => {
    const cluster = await up("", "--servers", "2");
    const facts = await cluster.ready();
    const [, second = ""] = facts["servers"]!.split(",");
    const before = childWith(cluster.pid, "server-2");
    process.kill(before, "SIGKILL");
    await cluster.line(/died, starting it again child=server-2 how="signal SIGKILL"/, "stderr");
    await eventually(
      async () => (await ask(second)) === "server-2",
      () => `a second server-2; ${cluster.output.stderr}`,
    );
    expect(childWith(cluster.pid, "server-2")).not.toBe(before);
    expect((await cluster.stop("SIGTERM")).code).toBe(0);
  });

  test("that is killed with -9 leaves no children behind", async () => {
    const cluster = await up("", "--servers", "2");
    await cluster.ready();
    const children = childrenOf(cluster.pid);
    expect(children).toHaveLength(3);
    await cluster.stop("SIGKILL");
    await eventually(
      () => !children.some(isAlive),
      () => `the end of ${children.join(", ")}`,
    );
  });

  test("on a second signal ends children that do not stop", async () => {
    const cluster = await up("server-1:deaf", "--servers", "1");
    await cluster.ready();
    const children = childrenOf(cluster.pid);
    cluster.kill("SIGINT");
    await cluster.line(/stopped name=balancer/, "stderr");
    expect((await cluster.stop("SIGINT")).code).toBe(130);
    await eventually(
      () => !children.some(isAlive),
      () => `the end of ${children.join(", ")}`,
    );
  });

  test("takes the ports after --port, and others where those are taken", async () => {
    // Below the range from which the system gives free ports, so that no other test happens to be there.
    const port = 20_000 + (process.pid % 10_000);
    const taken = createServer();
    await new Promise<void>((done) => taken.listen({ host: "127.0.0.1", port: port + 1 }, done));
    const cluster = await upOn("", "--no-admin", "--servers", "2", "--port", String(port));
    const facts = await cluster.ready();
    const ports = facts["servers"]!.split(",").map((server) => Number(server.split(":")[1]));
    expect(facts["listen"]).toBe(`127.0.0.1:${port}`);
    expect(ports).toEqual([port + 2, port + 3]);
    expect(cluster.output.stderr).toContain(
      `some ports are taken, using others ports=${port + 2},${port + 3}`,
    );
    await cluster.stop("SIGTERM");
    taken.close();
  });

  test("can be stopped while it starts", async () => {
    const cluster = await up("", "--servers", "2");
    await cluster.line(/ready/, "stderr");
    const { code } = await cluster.stop("SIGTERM");
    expect(code).toBe(0);
  });
});

describe("rtchat up, when something cannot start,", () => {
  test("says which, shows why, and stops the rest", async () => {
    const cluster = await up("server-2:dies", "--servers", "3");
    const { code, stderr } = await cluster.ended();
    expect(code).toBe(1);
    expect(stderr).toContain("server-2 | rtchat server: server-2 is told to die");
    expect(stderr).toEndWith(
      "rtchat up: server-2 could not start: exit code 1\nhint: the lines of server-2 above say why\n",
    );
    expect(await cluster.ready().catch(String)).toContain("no ready line");
  });

  test("gives up on a child whose command line turns out wrong later", async () => {
    const cluster = await up("balancer:wrong", "--servers", "1");
    await cluster.ready();
    process.kill(childWith(cluster.pid, "balancer"), "SIGKILL");
    const { code, stderr } = await cluster.ended();
    expect(code).toBe(1);
    expect(stderr).toContain("rtchat up: balancer could not start: exit code 2");
    expect(stderr).toContain("stopped name=server-1 reason=SIGTERM");
  });

  test("names the flag of a port that is taken, and starts nothing", async () => {
    const taken = createServer();
    await new Promise<void>((done) => taken.listen({ host: "127.0.0.1", port: 0 }, done));
    const address = taken.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const busy = String(address.port);
    for (const flags of [
      ["--no-admin", "--port", busy],
      ["--port", "0", "--admin", busy],
      ["--port", "0", "--no-admin", "--servers", "1", "--server-ports", busy],
    ]) {
      const { code, stderr } = await (await upOn("", ...flags)).ended();
      expect(code).toBe(1);
      expect(stderr).toStartWith(`rtchat up: cannot listen on 127.0.0.1:${busy}`);
      expect(stderr).toContain(`choose another port with ${flags.at(-2)}`);
      expect(stderr).not.toContain("server-1");
    }
    taken.close();
  });
});

test("with --log-format json every line is an object that names its process", async () => {
  const cluster = await up("", "--servers", "1", "--log-format", "json");
  await cluster.ready();
  const { stderr } = await cluster.stop("SIGTERM");
  const rows = stderr
    .trimEnd()
    .split("\n")
    .map((line): { process?: string; message?: string } => JSON.parse(line));
  expect(new Set(rows.map((row) => row.process))).toEqual(new Set(["server-1", "balancer", undefined]));
  expect(rows.filter((row) => row.message === "ready")).toHaveLength(3);
});
