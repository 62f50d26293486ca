/**
 * The whole of it, as a person would start it: three servers, a balancer and three clients, all the compiled binary.
 *
 * The clients speak JSON so that every word can be compared. Round robin puts each on a server of its own; what each
 * says is seen by all in one order; and when a server is killed, nobody's conversation shows it.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";
import type { Running } from "../support/lab.ts";

interface BackendHealth {
  readonly address: string;
  readonly state: string;
  readonly selected: number;
}

const lab = openLab();
const servers = new Map<string, Running>();
const people = new Map<string, Running>();
let door = "";
let admin = "";

/** The events of a client so far. */
function events(person: Running): Record<string, unknown>[] {
  const lines = person.output.stdout.split("\n").slice(0, -1);
  return lines.map((line) => Object(JSON.parse(line)) as Record<string, unknown>);
}

/** What a client has heard, in its order. */
function heard(person: Running): string[] {
  return events(person)
    .filter(({ type, room }) => type === "message" && room === "lobby")
    .map(({ seq, from, text }) => `${String(seq)} ${String(from)}: ${String(text)}`);
}

async function arrive(nick: string): Promise<Running> {
  const person = await lab.start("client", "--connect", door, "--nick", nick, "--json");
  people.set(nick, person);
  await person.line(/"type":"joined"/);
  return person;
}

async function allHear(count: number): Promise<void> {
  for (const person of people.values()) {
    await eventually(
      () => heard(person).length >= count,
      () => `${count} messages, not ${JSON.stringify(heard(person))}`,
    );
  }
}

async function health(): Promise<{ code: number; backends: BackendHealth[] }> {
  const response = await fetch(`http://${admin}/health`);
  const body = Object(await response.json()) as { backends: BackendHealth[] };
  return { code: response.status, backends: body.backends };
}

beforeAll(async () => {
  for (let n = 1; n <= 3; n += 1) {
    const server = await lab.start("server", "--port", "0");
    servers.set((await server.ready())["listen"] ?? "", server);
  }
  const backends = [...servers.keys()].join(",");
  const balancer = await lab.start(
    "balancer",
    "--backends",
    backends,
    "--port",
    "0",
    "--admin",
    "127.0.0.1:0",
  );
  const facts = await balancer.ready();
  door = facts["listen"] ?? "";
  admin = facts["admin"] ?? "";
  await eventually(
    async () => (await health()).backends.every(({ state }) => state === "up"),
    () => "all three servers to be up",
  );
});

describe("three servers, a balancer and three people", () => {
  test("hear each other in one order, each from a server of its own", async () => {
    for (const nick of ["ana", "bob", "eve"]) await arrive(nick);
    expect((await health()).backends.map(({ selected }) => selected)).toEqual([1, 1, 1]);
    for (const [nick, person] of people) person.write(`good morning from ${nick}\n`);
    await allHear(3);
    const [first = [], ...others] = [...people.values()].map(heard);
    expect(first.map((line) => line.split(" ")[0])).toEqual(["1", "2", "3"]);
    expect(first.toSorted()).toHaveLength(new Set(first).size);
    for (const other of others) expect(other).toEqual(first);
  });

  test("go on talking when a server is killed; a newcomer is still served", async () => {
    const [address, victim] = [...servers][1] ?? [];
    await victim?.stop("SIGKILL");
    const before = [...people.values()].map((person) => events(person).length);
    for (const [nick, person] of people) person.write(`still here, says ${nick}\n`);
    await allHear(6);
    await arrive("newcomer");
    people.get("newcomer")?.write("what did I miss\n");
    people.delete("newcomer");
    await allHear(7);
    const [first = [], ...others] = [...people.values()].map(heard);
    expect(first.map((line) => Number(line.split(" ")[0]))).toEqual([1, 2, 3, 4, 5, 6, 7]);
    for (const other of others) expect(other).toEqual(first);
    // Nobody was disconnected, and nobody was seen to leave.
    for (const [index, person] of [...people.values()].entries()) {
      const since = events(person).slice(before[index]);
      expect(since.filter(({ type }) => type === "welcome")).toEqual([]);
      expect(since.filter(({ type, state }) => type === "presence" && state === "leave")).toEqual([]);
    }
    await eventually(
      async () => (await health()).backends.find((backend) => backend.address === address)?.state !== "up",
      () => "the killed server to be shown as such",
    );
    expect((await health()).code).toBe(200);
  });

  test("answer nc, which says hello and join in one breath", async () => {
    const [host = "", port = ""] = door.split(":");
    const nc = await lab.startWith({ command: ["nc", host, port] });
    nc.write('{"type":"hello","version":1,"nick":"nc"}\n{"type":"join","room":"lobby"}\n');
    expect(await nc.line(/^/)).toContain('"type":"welcome"');
    expect(await nc.line(/^/)).toContain('"type":"joined","room":"lobby"');
  });

  test("are told when no server is left", async () => {
    for (const server of servers.values()) await server.stop("SIGKILL");
    await eventually(
      async () => (await health()).code === 503,
      () => "the balancer to report that it has no usable server",
    );
  });
});
