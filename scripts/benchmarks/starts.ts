/** S9: how long a person waits for the first answer, the first message, and the first screen. */
import { freePort, keep, makeFolder, removeFolder, cleanEnvironment } from "./process.ts";
import { Collection } from "./section.ts";
import type { Bench, Section } from "./section.ts";

const GIVE_UP_MS = 30_000;
/** More of the cheap one: a single exec is at the mercy of the scheduler. */
const VERSIONS_A_ROUND = 10;

/** Measures all three in turns. */
export async function measureStarts({ binary, pace, progress }: Bench): Promise<Section> {
  progress("S9 --version, up, client");
  const collection = new Collection();
  const tasks: readonly (readonly [string, number, () => Promise<number>])[] = [
    ["rtchat --version", VERSIONS_A_ROUND, () => versionAnswered(binary)],
    ["rtchat up, to the first acknowledged message", 1, () => firstMessage(binary)],
    ["rtchat client, to the first words on the screen", 1, () => firstScreen(binary)],
  ];
  for (let round = 0; round < pace.rounds; round += 1) {
    for (const [name, times, task] of tasks) {
      try {
        for (let time = 0; time < times; time += 1) collection.add(name, { ms: await task() });
      } catch (error) {
        collection.failure(name, error);
      }
    }
  }
  const { runs, notes, failed } = collection;
  const method = `${pace.rounds} runs (--version ${pace.rounds * VERSIONS_A_ROUND}), the files in the page cache`;
  return { name: "S9", title: "start", method, figures: ["ms"], bars: [], runs, notes, failed };
}

async function versionAnswered(binary: string): Promise<number> {
  const began = performance.now();
  const child = Bun.spawn([binary, "--version"], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  const answer = await child.stdout.text();
  if ((await child.exited) !== 0 || answer.trim() === "") throw new Error(`--version answered "${answer}"`);
  return performance.now() - began;
}

/** From typing `rtchat up` to the acknowledgement of a message that was typed right behind it. */
async function firstMessage(binary: string): Promise<number> {
  const folder = makeFolder("up");
  const env = { ...cleanEnvironment(), HOME: folder, XDG_DATA_HOME: folder };
  const port = freePort();
  const began = performance.now();
  const up = keep(
    Bun.spawn([binary, "up", "--port", `${port}`, "--no-admin", "--data", folder], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      env,
    }),
  );
  try {
    while (performance.now() - began < GIVE_UP_MS) {
      const child = keep(
        Bun.spawn([binary, "client", "--connect", `127.0.0.1:${port}`, "--nick", "bench"], {
          stdin: Buffer.from("hello\n"),
          stdout: "ignore",
          stderr: "ignore",
          env,
        }),
      );
      if ((await child.exited) === 0) return performance.now() - began;
    }
    throw new Error(`rtchat up took no message in ${GIVE_UP_MS / 1_000} s`);
  } finally {
    up.kill("SIGTERM");
    await up.exited;
    removeFolder(folder);
  }
}

/** From starting the client on a terminal, with nothing to connect to, to the first words it shows. */
async function firstScreen(binary: string): Promise<number> {
  const folder = makeFolder("screen");
  const shown = Promise.withResolvers<number>();
  const decoder = new TextDecoder();
  let text = "";
  const began = performance.now();
  const child = keep(
    Bun.spawn([binary, "client", "--connect", `127.0.0.1:${freePort()}`, "--nick", "bench"], {
      env: { ...cleanEnvironment(), HOME: folder, XDG_DATA_HOME: folder, TERM: "xterm-256color" },
      terminal: {
        cols: 80,
        rows: 24,
        data: (_, bytes) => {
          text += decoder.decode(bytes, { stream: true });
          // Switching the screen over and setting its title is not yet something to read.
          if (/\p{L}{3}/u.test(Bun.stripANSI(text))) shown.resolve(performance.now() - began);
        },
      },
    }),
  );
  void child.exited.then(() => shown.reject(new Error(`the client ended and showed: ${text}`)));
  try {
    return await shown.promise;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    removeFolder(folder);
  }
}
