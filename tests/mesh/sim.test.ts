/**
 * Some seeds of the simulated mesh (scripts/mesh-sim runs as many as one likes), and the proof that it sees what it is
 * there for: each planted bug is put into a copy of the sources, and the same simulation must fail on that copy.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { MeshCore } from "../../src/mesh/core/core.ts";
import { World } from "./sim/world.ts";

const repository = resolve(import.meta.dir, "../..");
const small = { peers: 20, messages: 600, durationMs: 90_000 };

describe("a mesh of 20", () => {
  test.each([1, 2, 3, 4])(
    "ends with one log in one order, seed %d",
    (seed) => {
      const report = new World(seed, small, MeshCore).run();
      // Something has to have happened, or the run shows nothing.
      expect(report.entries).toBeGreaterThan(small.messages * 0.9);
      expect(report.partitions).toBeGreaterThan(3);
      expect(report.cuts).toBeGreaterThan(10);
      expect(report.restarts).toBeGreaterThan(3);
    },
    30_000,
  );
});

/** Text of a source file and what is planted there instead. The text must be there exactly once. */
interface Bug {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly planted: string;
  /** What the simulation must say. */
  readonly caught: string;
}

const bugs: readonly Bug[] = [
  {
    name: "anti-entropy is skipped",
    file: "sync.ts",
    text: "    link.send(encodeDigest(this.#host.now(), this.#host.graph().digest()));\n",
    planted: "",
    caught: "logs differ",
  },
  {
    name: "ties are broken by arrival",
    file: "graph.ts",
    text: "  return a.hash < b.hash ? -1 : Number(a.hash > b.hash);\n",
    planted: "  return 0;\n",
    caught: "logs differ",
  },
  {
    name: "known entries are passed on again",
    file: "log.ts",
    text: '      if (node !== undefined) return { status: "known", node };\n',
    planted: `      if (node !== undefined) {
        const entry = this.#codec.entry(bytes, hash);
        batch.accepted.push({ entry, body: this.#codec.body(entry), origin, node, fork: false });
        return { status: "known", node };
      }
`,
    caught: "carried an entry twice",
  },
  {
    name: "an empty disk goes on with the chain it got back",
    file: "own-chain.ts",
    text: "filter((segment) => segment.chain === chain) ?? []",
    planted: "slice(0, 1) ?? []",
    caught: "forked, and never had an old disk",
  },
  {
    name: "own entries are sent before they survive a power cut, and the store does not know",
    file: "state.ts",
    text: 'store.append(entries, "ahead");',
    planted: 'store.append(entries, "lax");',
    caught: "forked, and never had an old disk",
  },
  {
    name: "waiting entries are forgotten",
    file: "log.ts",
    text: '    if (verdict.status === "accepted") this.#releaseWaiting(arrival.entry.hash, batch);\n',
    planted: "",
    caught: "FAILED",
  },
];

describe("the simulation", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "rtchat-mesh-sim-"));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** A copy of what the simulation needs, with a bug in it; runs seeds there until one fails. */
  async function simulate(
    name: string,
    seeds: number,
    plant: (copy: string) => void,
  ): Promise<{ code: number; output: string }> {
    const copy = join(folder, name);
    for (const part of [
      "src/mesh/core",
      "src/mesh/store",
      "src/protocol",
      "src/identity",
      "tests/mesh/sim",
    ]) {
      mkdirSync(dirname(join(copy, part)), { recursive: true });
      cpSync(join(repository, part), join(copy, part), { recursive: true });
    }
    symlinkSync(join(repository, "node_modules"), join(copy, "node_modules"));
    plant(copy);
    const sizes = `--seeds ${seeds} --jobs 1 --bail --peers 8 --messages 1500 --minutes 1`.split(" ");
    const child = Bun.spawn([process.execPath, join(copy, "tests/mesh/sim/main.ts"), ...sizes], {
      cwd: copy,
      stdout: "pipe",
      stderr: "pipe",
    });
    const [output, errors, code] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ]);
    return { code, output: output + errors };
  }

  test("finds nothing in a copy without a bug", async () => {
    expect(await simulate("none", 2, () => {})).toEqual({ code: 0, output: "" });
  }, 60_000);

  test.each(bugs)(
    "catches it when $name",
    async ({ name, file, text, planted, caught }) => {
      const { code, output } = await simulate(name.replaceAll(" ", "-"), 20, (copy) => {
        const path = join(copy, "src/mesh/core", file);
        const source = readFileSync(path, "utf8");
        expect(source.split(text)).toHaveLength(2);
        writeFileSync(
          path,
          source.replace(text, () => planted),
        );
      });
      expect(output).toContain(caught);
      expect(code).toBe(1);
    },
    60_000,
  );
});
