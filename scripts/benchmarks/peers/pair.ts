/** Two peers, and two processes with nothing but TLS between them: from a line's writing to its appearance. */
import { join } from "node:path";
import { Talker } from "./talker.ts";

const BYTES = 64;

/** Something that takes a line and shows it elsewhere. */
export interface Pair {
  /** ms from writing a line to the first process to reading it from the one that shows it. */
  deliver(): Promise<number>;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

let said = 0;

/** A text of BYTES that was not said before. */
function nextText(): string {
  said += 1;
  return `m${said}`.padEnd(BYTES - 1, "x");
}

async function timed(from: Talker, to: Talker): Promise<number> {
  const text = nextText();
  const shown = to.line((line) => line.includes(text), "message shown");
  const began = performance.now();
  from.say(text);
  await shown;
  return performance.now() - began;
}

/** The command for a peer of its own folder. */
export function peerCommand(
  binary: string,
  part: { readonly data: string; readonly nick: string; readonly listen: string; readonly connect?: string },
): string[] {
  const { data, nick, listen, connect } = part;
  const flags = ["peer", "--json", "--follow", "--data", data, "--nick", nick, "--listen", listen];
  return [binary, ...flags, ...(connect === undefined ? [] : ["--connect", connect])];
}

/** The port in a peer's `listening` line. */
export async function portOf(peer: Talker): Promise<number> {
  const line = await peer.line((one) => one.startsWith('{"type":"listening"'), "listening peer");
  return (JSON.parse(line) as { port: number }).port;
}

/** Two processes of the compiled binary; one says, the other one shows. */
export async function startPeers(binary: string, folder: string): Promise<Pair> {
  const listen = "127.0.0.1:0";
  const at = (name: string): string => join(folder, name);
  const ana = new Talker(peerCommand(binary, { data: at("ana"), nick: "ana", listen }), folder);
  const port = await portOf(ana);
  const connect = `127.0.0.1:${port}`;
  const joined = ana.line((line) => line.startsWith('{"type":"presence"'), "second peer in the room");
  const ben = new Talker(peerCommand(binary, { data: at("ben"), nick: "ben", listen, connect }), folder);
  await joined;
  return {
    deliver: () => timed(ana, ben),
    pids: [ana.pid, ben.pid],
    async stop() {
      await Promise.all([ana.stop(), ben.stop()]);
    },
  };
}

/** The echo: the line comes back to the process that was told it. */
export async function startEcho(folder: string): Promise<Pair> {
  const echo = join(import.meta.dir, "echo.ts");
  const server = new Talker([process.execPath, echo, "server", "0", join(folder, "server")], folder);
  const port = await server.line(() => true, "port of the echo");
  const client = new Talker([process.execPath, echo, "client", port, join(folder, "client")], folder);
  await client.line((line) => line === "connected", "connected echo");
  return {
    deliver: () => timed(client, client),
    pids: [server.pid, client.pid],
    async stop() {
      await Promise.all([server.stop(), client.stop()]);
    },
  };
}
