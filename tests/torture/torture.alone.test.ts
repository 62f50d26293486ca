/**
 * The checker at work: it catches every planted bug, and finds nothing wrong with rtchat while servers and the keeper
 * are killed and hung for two minutes.
 *
 * TORTURE_SEED replays a schedule; the seed of a run is in its output.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { rtchatBinary } from "../support/binary.ts";

interface Run {
  readonly code: number;
  readonly output: string;
  readonly figures: Record<string, number>;
}

async function torture(...options: readonly string[]): Promise<Run> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts"), ...options], {
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, RTCHAT_BIN: await rtchatBinary() },
  });
  const [output, complaint, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  const closing = output.trimEnd().split("\n").at(-1) ?? "";
  const figures = Object.fromEntries(
    [...closing.matchAll(/(\w+)=(\d+)/g)].map(([, name, value]) => [name, Number(value)]),
  );
  return { code, output: output + complaint, figures };
}

const small = [
  "--servers",
  "1",
  "--clients",
  "8",
  "--rooms",
  "2",
  "--rate",
  "80",
  "--minutes",
  "0.1",
  "--faults",
  "none",
];

describe("a planted bug", () => {
  test.each([
    ["drop", "lost"],
    ["duplicate", "duplicated"],
    ["reorder", "reordered"],
    ["ack-early", "lost"],
  ])(
    "%s is caught",
    async (plant, figure) => {
      const { code, output, figures } = await torture("--plant", plant, ...small);
      expect({ code, output }).toMatchObject({ code: 1 });
      const found =
        (figures[figure] ?? 0) +
        (plant === "reorder" ? (figures["duplicated"] ?? 0) + (figures["lost"] ?? 0) : 0);
      expect(found).toBeGreaterThan(0);
    },
    180_000,
  );
});

const large = "--minutes 2 --clients 60 --rooms 12 --rate 60 --faults backend,keeper".split(" ");

test("nothing is lost, repeated or reordered, and nobody is disconnected, while servers and keepers die", async () => {
  const seed = process.env["TORTURE_SEED"];
  const replay = seed === undefined ? [] : ["--seed", seed];
  const { code, output, figures } = await torture(...large, ...replay);
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(figures).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, disconnects: 0 });
  expect(figures["faults"]).toBeGreaterThan(5);
  expect(figures["acked"]).toBe(figures["sent"] ?? -1);
}, 400_000);
