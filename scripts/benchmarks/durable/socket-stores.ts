/**
 * Redis streams and NATS JetStream, spoken to in bytes made beforehand.
 *
 * Of the answers only what ends one is counted: Redis gives a bulk string (two lines) for each XADD, JetStream a message
 * whose JSON is followed by a line end. An answer that is an error is searched for, so that a full disk is no record.
 */
import type { Socket } from "bun";
import { createStream } from "../jetstream.ts";
import type { Acknowledged, DrivePlan, Store } from "./driver.ts";

const NEWLINE = 10;

/** The commands that publish once to each room in turn, over and over, joined once for each length asked for. */
class Commands {
  readonly #each: readonly Buffer[];
  #next = 0;

  constructor(each: readonly string[]) {
    this.#each = each.map((text) => Buffer.from(text, "latin1"));
  }

  take(count: number): Buffer {
    const parts: Buffer[] = [];
    for (let left = count; left > 0; left -= 1) {
      const part = this.#each[this.#next % this.#each.length];
      if (part !== undefined) parts.push(part);
      this.#next += 1;
    }
    return Buffer.concat(parts);
  }
}

/** One connection that publishes by `commands` and is answered by `linesEach` lines. */
async function connect(
  port: number,
  greeting: string,
  commands: Commands,
  answers: { readonly linesEach: number; readonly skip: number; readonly error: string },
  to: Acknowledged,
): Promise<Store> {
  let unsent: Buffer | undefined;
  let lines = -answers.skip;
  const drain = (socket: Socket): void => {
    if (unsent === undefined) return;
    const written = socket.write(unsent);
    unsent = written >= 0 && written < unsent.length ? unsent.subarray(written) : undefined;
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, chunk) {
        if (chunk.includes(answers.error)) to.failed(chunk.toString("latin1").slice(0, 200));
        const before = Math.floor(Math.max(0, lines) / answers.linesEach);
        for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) lines += 1;
        const whole = Math.floor(Math.max(0, lines) / answers.linesEach) - before;
        if (whole > 0) to.acknowledged(whole);
      },
      drain,
    },
  });
  const write = (bytes: Buffer): void => {
    unsent = unsent === undefined ? bytes : Buffer.concat([unsent, bytes]);
    drain(socket);
  };
  write(Buffer.from(greeting));
  return {
    publish: (count) => write(commands.take(count)),
    close() {
      socket.terminate();
      return Promise.resolve();
    },
  };
}

/** A Redis command as an array of bulk strings. */
function resp(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

/** One stream a room, XADD for each publish. */
export function openRedisStreams({ port, rooms, bytes }: DrivePlan, to: Acknowledged): Promise<Store> {
  const body = "a".repeat(bytes);
  const each = Array.from({ length: rooms }, (_, room) => resp("XADD", `room-${room}`, "*", "b", body));
  return connect(port, "", new Commands(each), { linesEach: 2, skip: 0, error: "-ERR" }, to);
}

/** One file stream over all rooms, a subject each; every publish asks for its acknowledgement. */
export async function openJetStream({ port, rooms, bytes }: DrivePlan, to: Acknowledged): Promise<Store> {
  await createStream(port);
  const body = "a".repeat(bytes);
  const each = Array.from(
    { length: rooms },
    (_, room) => `PUB room.${room} acknowledged ${bytes}\r\n${body}\r\n`,
  );
  const greeting = 'CONNECT {"verbose":false,"pedantic":false}\r\nSUB acknowledged 1\r\n';
  // One line of INFO comes first.
  return connect(port, greeting, new Commands(each), { linesEach: 2, skip: 1, error: '"error"' }, to);
}
