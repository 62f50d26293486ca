/**
 * The import rule of src/ARCHITECTURE.md, proved on the linter's real configuration.
 *
 * A rule that nobody sees fire may be switched off by a typing error in a pattern. So this test writes a tree with one
 * file for every (importer, imported, kind of import), runs the linter over it once with the repository's own
 * .oxlintrc.json, and compares what was refused with the table below, which is written down independently of the
 * configuration. Type-aware rules are off here, because they need the tree's dependencies.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";

const below = ["protocol", "net", "backplane", "identity", "edge", "hub", "balancer", "client", "mesh"];
const repository = resolve(import.meta.dir, "../..");

/** For each folder: what it may import, and from where it may take types only. */
const rule: Record<string, { values: readonly string[]; types: readonly string[] }> = {
  protocol: { values: [], types: [] },
  net: { values: ["protocol"], types: [] },
  backplane: { values: ["net", "protocol"], types: [] },
  identity: { values: ["protocol"], types: [] },
  edge: { values: ["net", "protocol"], types: [] },
  hub: { values: ["protocol"], types: ["backplane", "edge"] },
  balancer: { values: ["edge", "net", "protocol"], types: [] },
  client: { values: ["net", "identity", "protocol"], types: [] },
  mesh: { values: ["net", "identity", "protocol"], types: [] },
  admin: {
    values: ["protocol"],
    types: [...below.slice(1), "tui", "cli"],
  },
  tui: {
    values: ["protocol"],
    types: [...below.slice(1), "admin", "cli"],
  },
  cli: { values: ["protocol"], types: [] },
  modes: {
    values: [...below, "admin", "tui", "cli"],
    types: [],
  },
};
const folders = Object.keys(rule);

/** The ways one file can reach another; `type` marks those that leave nothing behind at run time. */
const kinds = {
  value: { source: (path: string) => `export { thing } from "${path}";\n`, type: false },
  type: { source: (path: string) => `export type { Thing } from "${path}";\n`, type: true },
  star: { source: (path: string) => `export * from "${path}";\n`, type: false },
  mixed: {
    source: (path: string) =>
      `import { thing, type Thing } from "${path}";\nexport const x: Thing = thing;\n`,
    type: false,
  },
  dynamic: { source: (path: string) => `export const late = await import("${path}");\n`, type: false },
};

const reportSchema = z.object({
  diagnostics: z.array(z.object({ code: z.string().optional(), filename: z.string() })),
});

const planted = new Map<string, { refused: boolean; what: string }>();
let folder: string;
let report: z.infer<typeof reportSchema>;

/** Files the linter refused because of `code` (for example "eslint(no-restricted-imports)"). */
function refusedBy(code: string): Set<string> {
  return new Set(report.diagnostics.filter((one) => one.code === code).map((one) => one.filename));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rtchat-tidy-"));
  const configuration = await Bun.file(join(repository, ".oxlintrc.json")).json();
  configuration.options.typeAware = false;
  await Bun.write(join(folder, ".oxlintrc.json"), JSON.stringify(configuration));

  const plant = (path: string, source: string, refused: boolean, what: string) => {
    planted.set(path, { refused, what });
    return Bun.write(join(folder, path), source);
  };
  for (const from of folders) {
    for (const to of folders) {
      if (from === to) continue;
      for (const [kind, { source, type }] of Object.entries(kinds)) {
        const allowed = rule[from]!.values.includes(to) || (type && rule[from]!.types.includes(to));
        const what = `${kind} import of ${to} in ${from}`;
        await plant(`src/${from}/${kind}-${to}.ts`, source(`../${to}/some.ts`), !allowed, what);
        await plant(
          `src/${from}/deep/${kind}-${to}.ts`,
          source(`../../${to}/some.ts`),
          !allowed,
          `deep ${what}`,
        );
      }
    }
    await plant(`src/${from}/own.ts`, kinds.value.source("./other.ts"), false, `own import in ${from}`);
    await plant(
      `src/${from}/main.ts`,
      kinds.value.source("../main.ts"),
      true,
      `import of main.ts in ${from}`,
    );
    await plant(
      `src/${from}/net.ts`,
      `import { createServer } from "node:net";\nexport const server = createServer();\n`,
      from !== "net" && from !== "modes",
      `socket import in ${from}`,
    );
  }
  await plant(
    "src/main.ts",
    `export const mode = await import("./modes/server.ts");\n`,
    false,
    "main loads a mode",
  );

  await Bun.write(join(folder, "src/hub/clock.ts"), "export const at = Date.now();\n");
  await Bun.write(join(folder, "src/edge/listen.ts"), "export const listen = Bun.listen;\n");
  await Bun.write(join(folder, "src/net/listen.ts"), "export const listen = Bun.listen;\n");
  await Bun.write(join(folder, "src/net/annotation.ts"), `export type X = import("../hub/x.ts").X;\n`);
  await Bun.write(join(folder, "src/net/extension.ts"), `export { x } from "./y";\n`);
  await Bun.write(
    join(folder, "src/net/side.ts"),
    `import { type X } from "./y.ts";\nexport const x: X = 1;\n`,
  );
  await Bun.write(join(folder, "src/net/long.ts"), "export {};\n".repeat(401));

  const oxlint = Bun.spawn([join(repository, "node_modules/.bin/oxlint"), "-f", "json"], {
    cwd: folder,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = await Promise.all([oxlint.stdout.text(), oxlint.stderr.text()]);
  expect(errors).toBe("");
  report = reportSchema.parse(JSON.parse(output));
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the import rule", () => {
  test("refuses exactly the planted imports that point upwards", () => {
    const refused = refusedBy("eslint(no-restricted-imports)");
    const wrong: string[] = [];
    for (const [path, { refused: expected, what }] of planted) {
      if (refused.has(path) !== expected) wrong.push(`${what} ${expected ? "passed" : "was refused"}`);
    }
    expect(wrong).toEqual([]);
  });

  test("planted every pair of folders with every kind of import", () => {
    const pairs = folders.length * (folders.length - 1);
    expect(planted.size).toBe(pairs * Object.keys(kinds).length * 2 + folders.length * 3 + 1);
  });

  test("keeps the clock out of the hub and listening sockets out of everything but net", () => {
    const refused = refusedBy("eslint(no-restricted-properties)");
    expect([...refused].sort()).toEqual(["src/edge/listen.ts", "src/hub/clock.ts"]);
  });

  test("refuses import() in types, imports without extension, and empty imports left by inline types", () => {
    expect(refusedBy("typescript(consistent-type-imports)")).toContain("src/net/annotation.ts");
    expect(refusedBy("import(extensions)")).toContain("src/net/extension.ts");
    expect(refusedBy("typescript(no-import-type-side-effects)")).toContain("src/net/side.ts");
  });

  test("refuses a file of more than 400 lines", () => {
    expect(refusedBy("eslint(max-lines)")).toEqual(new Set(["src/net/long.ts"]));
  });
});
