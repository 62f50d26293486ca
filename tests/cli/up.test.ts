/** `rtchat up` with the compiled binary: a conversation over a real cluster, one of whose servers is killed. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/deadline.ts";
import { openLab, type Running } from "../support/lab.ts";

const lab = openLab();

/** Process IDs of the direct children, by the words of their command lines (proc(5)). */
function childrenOf(pid: number): Map<string, number> {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .split(" ")
    .map(Number)
    .filter(Boolean);
  return new Map(
    children.map((child) => [readFileSync(`/proc/${child}/cmdline`, "utf8").replaceAll("\0", " "), child]),
  );
}

/** The texts a client has printed, in its order. */
function heard(client: Running): string[] {
  const lines = client.output.stdout.split("\n").slice(0, -1);
  const events = lines.map((line): { type?: string; text?: string } => JSON.parse(line));
  return events.filter((event) => event.type === "message").map((event) => event.text ?? "");
}

/** States of the backends as the admin endpoint tells them. */
async function states(admin: string): Promise<string[]> {
  const response = await fetch(`http://${admin}/health`);
  const body = (await response.json()) as { backends: { state: string }[] };
  return body.backends.map((backend) => backend.state);
}

test("a conversation goes on while one of its servers is killed and started again", async () => {
  const cluster = await lab.start("up", "--servers", "2", "--port", "0", "--admin", "127.0.0.1:0");
  const facts = await cluster.ready();
  const admin = facts["admin"]!;
  await eventually(
    async () => (await states(admin)).every((state) => state === "up"),
    () => `two servers that are up; ${cluster.output.stderr}`,
  );

  const person = (nick: string) =>
    lab.start("client", "--connect", facts["listen"]!, "--nick", nick, "--json", "--follow");
  const people = [await person("ana"), await person("ben")];
  for (const one of people) await one.line(/"type":"joined"/);
  const said: string[] = [];
  const say = async (who: Running, text: string) => {
    said.push(text);
    who.write(`${text}\n`);
    for (const one of people)
      await eventually(
        () => heard(one).includes(text),
        () => `"${text}" in ${one.output.stdout}`,
      );
  };
  await say(people[0]!, "before");
  await say(people[1]!, "all is well");

  const victim = [...childrenOf(cluster.pid)].find(([command]) => command.includes("--name server-1"));
  process.kill(victim![1], "SIGKILL");
  await say(people[0]!, "did you notice");
  await say(people[1]!, "notice what");

  await cluster.line(/died, starting it again child=server-1 how="signal SIGKILL"/, "stderr");
  await eventually(
    async () => (await states(admin)).every((state) => state === "up"),
    () => `two servers that are up again; ${cluster.output.stderr}`,
  );
  await say(people[1]!, "after");
  for (const one of people) {
    expect(heard(one)).toEqual(said);
    expect(one.output.stdout.match(/"type":"connection","state":"online"/g)).toHaveLength(1);
  }

  expect((await cluster.stop("SIGINT")).code).toBe(0);
  for (const one of people) one.kill("SIGTERM");
});

test.each(["where it is looked for", "where RTCHAT_CONFIG says"])(
  "a file of settings %s counts for the children, but not against what the cluster is",
  async (place) => {
    const config = join(await lab.folder(), `config-${place.length}`);
    const path = join(config, "rtchat", "rtchat.toml");
    await Bun.write(
      path,
      `host = "127.0.0.2"
       [server]
       host = "127.0.0.2"
       [balancer]
       policy = "least-sessions"
       backends-file = "/nowhere"`,
    );
    const env = place.endsWith("says") ? { RTCHAT_CONFIG: path } : { XDG_CONFIG_HOME: config };
    const cluster = await lab.startWith({ env }, "up", "--servers", "1", "--port", "0", "--admin", "0");
    const facts = await cluster.ready();
    expect(facts["listen"]).toStartWith("127.0.0.2:");
    expect(facts["servers"]).toStartWith("127.0.0.1:");
    const stats = await fetch(`http://${facts["admin"]}/api/v1/stats`);
    expect(await stats.json()).toMatchObject({ policy: "least-sessions" });
    await cluster.line(/rtchat is up: 1 server, people connect to/, "stderr");
    const words = await lab.startWith({ input: "hello\n" }, "send", "--connect", facts["listen"]!);
    expect(await words.ended()).toMatchObject({ code: 0 });
    await cluster.stop("SIGTERM");
  },
);

test("is stopped without another server being elected to keep the log", async () => {
  const cluster = await lab.start("up", "--servers", "3", "--port", "0", "--no-admin");
  await cluster.ready();
  await cluster.line(/rtchat is up/, "stderr");
  expect((await cluster.stop("SIGTERM")).code).toBe(0);
  // One at the beginning.
  expect(cluster.output.stderr.match(/this server keeps the log/g)).toHaveLength(1);
});

test("SIGUSR2 renews everything, process after process, under people who talk and notice nothing", async () => {
  const cluster = await lab.start("up", "--servers", "2", "--port", "0", "--admin", "127.0.0.1:0");
  const facts = await cluster.ready();
  await eventually(
    async () => (await states(facts["admin"]!)).every((state) => state === "up"),
    () => `two servers that are up; ${cluster.output.stderr}`,
  );
  const connect = ["--connect", facts["listen"]!];
  // No name of an earlier test, whose session the same data folder may keep for a while.
  const eva = await lab.start("client", ...connect, "--nick", "eva", "--json", "--follow");
  await eva.line(/"type":"joined"/);
  const before = childrenOf(cluster.pid);
  let count = 0;
  const talking = setInterval(() => eva.write(`${(count += 1)}\n`), 50);
  cluster.kill("SIGUSR2");
  await cluster.line(/renewed: the servers are, and the balancer renews itself/, "stderr");
  await cluster.line(/balancer \| .*the last client has come over to the new workers/, "stderr");
  clearInterval(talking);
  await eventually(
    () => heard(eva).length === count,
    () => `${count} messages in ${eva.output.stdout}`,
  );
  expect(heard(eva)).toEqual(Array.from({ length: count }, (_, index) => String(index + 1)));
  expect(eva.output.stderr).toBe("");
  const after = childrenOf(cluster.pid);
  expect(after.size).toBe(3);
  const kept = [...after].filter(([, pid]) => [...before.values()].includes(pid));
  // Its workers are new.
  expect(kept.map(([command]) => command.split(" ")[1])).toEqual(["balancer"]);
  expect((await cluster.stop("SIGTERM")).code).toBe(0);
});

test("killed with -9 itself, it leaves no process behind", async () => {
  const cluster = await lab.start("up", "--servers", "2", "--port", "0", "--no-admin");
  await cluster.ready();
  const children = [...childrenOf(cluster.pid).values()];
  expect(children).toHaveLength(3);
  await cluster.stop("SIGKILL");
  const alive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  await eventually(
    () => !children.some(alive),
    () => `the end of ${children.filter(alive).join(", ")}`,
  );
});
