/**
 * What `--durability power` promises, watched where it is kept: in the system calls of a real server. Between the write of
 * a message to any file and its acknowledgement on the client's socket there must be a sync of that very file.
 *
 * strace sees all threads: the keeper's, which writes and syncs, and the server's, which answers.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rtchatBinary } from "../support/binary.ts";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";
import { findService } from "../support/services.ts";

const lab = openLab();
const strace = findService("strace");
const COUNT = 20;
const textOf = (index: number): string => `message-${index}-ends`;

/** One system call that has returned; its number among all beginnings and ends is when it did either. */
interface Call {
  readonly name: string;
  readonly path: string;
  readonly data: string;
  readonly began: number;
  readonly ended: number;
}

/** Reads a trace. A call during which others happened is in two lines: `… <unfinished ...>`, `<... name resumed>…`. */
function readTrace(trace: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<string, Omit<Call, "ended">>();
  for (const [index, line] of trace.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const begun = /^(\w+)\(\d+<([^>]*)>/.exec(rest);
    if (begun !== null) {
      const [, name = "", path = ""] = begun;
      const call = { name, path, data: rest, began: index };
      if (rest.endsWith("<unfinished ...>")) open.set(thread, call);
      else calls.push({ ...call, ended: index });
    } else if (rest.startsWith("<... ")) {
      const call = open.get(thread);
      if (call !== undefined) calls.push({ ...call, ended: index });
      open.delete(thread);
    }
  }
  return calls;
}

/** Numbers of the messages that a file had when they were acknowledged, and that it had not synced. */
function unsynced(calls: readonly Call[]): number[] {
  return Array.from({ length: COUNT }, (_, index) => index).filter((index) => {
    // strace shows each quote with a backslash.
    const words = new RegExp(String.raw`\\"type\\":\\"ack\\"[^}]*\\"id\\":\\"${index}\\"`);
    const acknowledged = calls.find(({ path, data }) => path.startsWith("socket:") && words.test(data));
    const writes = calls.filter(
      ({ path, data, ended }) =>
        path.startsWith("/") && data.includes(textOf(index)) && ended < (acknowledged?.began ?? -1),
    );
    if (acknowledged === undefined || writes.length === 0) throw new Error(`nothing is seen of ${index}`);
    return !writes.every((write) =>
      calls.some(
        ({ name, path, began, ended }) =>
          /^f(data)?sync$/.test(name) &&
          path === write.path &&
          began > write.ended &&
          ended < acknowledged.began,
      ),
    );
  });
}

/** Sends messages one after the other, each when the one before is acknowledged, and gives the server's system calls. */
async function callsOf(durability: string): Promise<Call[]> {
  const folder = join(await lab.folder(), durability);
  const trace = `${folder}.trace`;
  // -D: the server is the process that we start, and strace its descendant; so it can be ended like any other.
  const watch = `${strace} -D -f -y -s 8192 -o ${trace} -e trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync`;
  const serve = `server --port 0 --data ${folder} --durability ${durability}`;
  const server = await lab.startWith(
    { command: [...watch.split(" "), await rtchatBinary()] },
    ...serve.split(" "),
  );
  const { listen = "" } = await server.ready();
  const client = await lab.startWith({ command: ["nc", ...listen.split(":")] });
  client.write('{"type":"hello","version":1,"nick":"ana"}\n{"type":"join","room":"lobby"}\n');
  await client.line(/"type":"joined"/);
  for (let index = 0; index < COUNT; index += 1) {
    client.write(`{"type":"send","room":"lobby","id":"${index}","text":"${textOf(index)}"}\n`);
    await client.line(new RegExp(`"type":"ack".*"id":"${index}"`));
  }
  await server.stop("SIGTERM");
  // Numbers of processes are padded.
  const exited = new RegExp(String.raw`^${server.pid} +\+\+\+ exited`, "m");
  await eventually(
    () => exited.test(readFileSync(trace, "utf8")),
    () => "the whole trace",
  );
  return readTrace(readFileSync(trace, "utf8"));
}

describe.skipIf(strace === undefined || findService("nc") === undefined)("an acknowledgement", () => {
  test("with --durability power is written after the file that holds the message was synced", async () => {
    expect(unsynced(await callsOf("power"))).toEqual([]);
  });

  test("with --durability process waits for no disk: so the test above can tell", async () => {
    expect(unsynced(await callsOf("process")).length).toBeGreaterThan(COUNT / 2);
  });
});
