/**
 * S11: the client's full screen as a person feels it, through the executable on a pseudo-terminal.
 *
 * - Key to screen: from a key to the bytes that show it, while 200 messages a second come in; beside it what the client
 *   uses and writes for a message meanwhile. The bar is on the 99th percentile, because a person feels the key that hangs
 *   and not the one between.
 * - Resident memory with 100,000 messages in the scrollback, right after they came, all at once, and when all is quiet.
 * - First picture: from starting the program to the room's name and the prompt, with nothing there to connect to.
 *
 * What was asked for stands in the table as an entrant, so that the bars are ratios like all others.
 */
import { cpuMs } from "./process.ts";
import { askedFor, Collection } from "./section.ts";
import type { Bar, Bench, Section } from "./section.ts";
import { TalkingServer } from "./screen/server.ts";
import { WatchedClient } from "./screen/terminal.ts";
import { quantile } from "./statistics.ts";

const PER_SECOND = 200;
const SCROLLBACK = 100_000;
/** Between two keys: a fast typist's. Odd, so that keys do not fall into step with pictures. */
const KEY_MS = 31;
/** Neither in the messages nor in any escape sequence, and one column wide everywhere. */
const LETTERS = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞ";
const SETTLE_MS = 3_000;
const MIB = 1_048_576;

const sizes = [
  [80, 24],
  [160, 50],
] as const;
const STARTED = "first picture";
const FLOODED = "100,000 messages, all at once";
const QUIET = "100,000 messages, when quiet";
const typing = ([columns, rows]: (typeof sizes)[number]) => `key to screen, ${columns}×${rows}`;

/** Why bars are missed when they are, as NOTES.md has measured. */
const why = {
  p99: "a hundredth of the keys waits until the scheduler runs a process that had nothing to do: the median is 1 ms, and with a real-time priority (chrt -r 5) the 99th percentile was 4 to 7 ms on a machine with a load of 17",
  resident:
    "memory is given back some time after a flood, by a collection after each 10,000 messages that a busy machine delays",
  ms: "a start is 40 ms of CPU, so it takes longer only where other work has the processor",
} as const;

const bars: readonly Bar[] = [
  ...sizes.map((size): Bar => ({
    figure: "p99",
    ours: typing(size),
    against: [askedFor],
    most: 1,
    why: why.p99,
  })),
  { figure: "resident", ours: FLOODED, against: [askedFor], most: 1, why: why.resident },
  { figure: "resident", ours: QUIET, against: [askedFor], most: 1, why: why.resident },
  { figure: "ms", ours: STARTED, against: [askedFor], most: 1, why: why.ms },
];

/** Measures everything in turns. */
export async function measureScreen(bench: Bench): Promise<Section> {
  const { pace, progress, binary } = bench;
  const collection = new Collection();
  const keys = pace.full ? 200 : 120;
  const starts = pace.full ? 20 : 6;
  const tries = async (entrant: string, task: () => Promise<void>) => {
    try {
      await task();
    } catch (error) {
      collection.failure(entrant, error);
    }
  };
  for (let round = 0; round < pace.roundsLong; round += 1) {
    for (const size of sizes) {
      const name = typing(size);
      progress(`S11 ${name}`);
      await tries(name, () => typeInARoom(collection, binary, name, size, keys));
    }
    progress(`S11 ${SCROLLBACK} messages`);
    await tries(FLOODED, () => flood(collection, binary));
  }
  progress("S11 starts");
  for (let round = 0; round < starts; round += 1) {
    await tries(STARTED, async () => collection.add(STARTED, { ms: await firstPicture(binary) }));
  }
  collection.add(askedFor, { p99: 16, resident: 150 * MIB, ms: 100 });
  const { runs, notes, failed } = collection;
  return {
    name: "S11",
    title: `the screen of rtchat client, at ${PER_SECOND} messages/s`,
    method: `${pace.roundsLong} runs of ${keys} keys, ${starts} starts; CPU and bytes written a message that came`,
    figures: ["p50", "p99", "cpu", "bytesEach", "resident", "ms"],
    bars,
    runs,
    notes,
    failed,
  };
}

async function withClient(
  binary: string,
  [columns, rows]: readonly [number, number],
  task: (client: WatchedClient, server: TalkingServer) => Promise<void>,
): Promise<void> {
  const server = new TalkingServer();
  const client = new WatchedClient(binary, server.port, columns, rows);
  try {
    await server.joined;
    await client.sees("people");
    await task(client, server);
  } finally {
    await client.stop();
    server.stop();
  }
}

function typeInARoom(
  collection: Collection,
  binary: string,
  name: string,
  size: (typeof sizes)[number],
  keys: number,
): Promise<void> {
  return withClient(binary, size, async (client, server) => {
    let owed = 0;
    let last = performance.now();
    // By the clock: an interval of 5 ms comes late on a busy machine, and then the load would be lighter.
    const talk = setInterval(() => {
      const now = performance.now();
      owed += ((now - last) / 1_000) * PER_SECOND;
      last = now;
      for (; owed >= 1; owed -= 1) server.talk();
    }, 1_000 / PER_SECOND);
    try {
      // The first seconds compile the program; nobody types a second after starting.
      while (server.seq < PER_SECOND * 2) await Bun.sleep(KEY_MS);
      const [cpu, written, seq] = [cpuMs([client.pid]), client.written, server.seq];
      const delays: number[] = [];
      for (let key = 0; key < keys; key += 1) {
        const letter = LETTERS[key % LETTERS.length] ?? "À";
        client.forget();
        const pressed = performance.now();
        client.type(letter);
        delays.push((await client.sees(letter)) - pressed);
        await Bun.sleep(KEY_MS);
        // A new line, so that no letter is there already.
        if (key % LETTERS.length === LETTERS.length - 1) client.type("\u0015");
      }
      const messages = server.seq - seq;
      delays.sort((a, b) => a - b);
      collection.add(name, {
        p50: quantile(delays, 0.5),
        p99: quantile(delays, 0.99),
        cpu: ((cpuMs([client.pid]) - cpu) * 1_000) / messages,
        bytesEach: (client.written - written) / messages,
      });
    } finally {
      clearInterval(talk);
    }
  });
}

function flood(collection: Collection, binary: string): Promise<void> {
  return withClient(binary, [160, 50], async (client, server) => {
    while (server.seq < SCROLLBACK - 1) {
      for (let n = 0; n < 500 && server.seq < SCROLLBACK - 1; n += 1) server.talk();
      await server.taken();
    }
    server.talk(LETTERS);
    await client.sees(LETTERS);
    collection.add(FLOODED, { resident: client.residentBytes });
    await Bun.sleep(SETTLE_MS);
    collection.add(QUIET, { resident: client.residentBytes });
  });
}

async function firstPicture(binary: string): Promise<number> {
  const began = performance.now();
  // Nobody listens on the discard port; the client says so later, and has a picture before.
  const client = new WatchedClient(binary, 9, 80, 24);
  try {
    await client.sees("lobby");
    return (await client.sees("bench")) - began;
  } finally {
    await client.stop();
  }
}
