/**
 * What the linter cannot see: rules about the repository as text. Each check names the file and line, and each has a
 * planted violation below it, because a search that never matches looks exactly like a clean repository.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

const repository = resolve(import.meta.dir, "../..");
const self = "tests/tidy/repository.test.ts";
const skipped = /^(node_modules|dist|coverage|\.git)(\/|$)|\.log$/;
const binary = /\.(png|jpg|gif|ico|woff2?|sqlite|db|gz|pem|der)$/;

/** Every text file that belongs to the project but this one, as [path relative to the top, text]. */
const files: (readonly [string, string])[] = [
  ...new Bun.Glob("**/*").scanSync({ cwd: repository, dot: true }),
]
  .filter((path) => !skipped.test(path) && !binary.test(path) && path !== ".git" && path !== self)
  .sort()
  .map((path) => [path, readFileSync(join(repository, path), "utf8")] as const);

/** "path:line: text" for every line that matches. */
function findLines(path: string, text: string, pattern: RegExp): string[] {
  return text
    .split("\n")
    .flatMap((line, index) =>
      pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 160)}`] : [],
    );
}

/** Absolute paths of the machine this runs on: the repository's own place and home directories. */
function machinePaths(place: string, home: string): RegExp {
  const shared = new Set([
    "tmp",
    "usr",
    "opt",
    "var",
    "srv",
    "mnt",
    "home",
    "root",
    "Users",
    "private",
    "app",
  ]);
  const first = place.split("/")[1] ?? "";
  const literals = [place, home === "/" ? "" : `${home}/`, shared.has(first) ? "" : `/${first}/`]
    .filter((literal) => literal.length > 3)
    .map((literal) => RegExp.escape(literal));
  return new RegExp(`(?<![\\w.\\-:/])(${[...literals, "/home/[a-z]+/", "/Users/[A-Za-z]+/"].join("|")})`);
}

const unfinished = /\b(TODO|FIXME)\b/;
const doubleCast = /\bas unknown as\b/;
const computedImport = /\bimport\((?!\s*"\.{0,2}[\w./@:-]+"\s*(?:,[^)]*)?\))/;
const internal = /\bissues? #?\d/i;

describe("the repository", () => {
  test("has files to look at", () => {
    expect(files.map(([path]) => path)).toContain("package.json");
    expect(files.map(([path]) => path)).toContain("tests/tidy/import-rule.test.ts");
  });

  test("has at its top what a newcomer expects, and no stray files", () => {
    const top = new Set(files.map(([path]) => path.split("/")[0] ?? ""));
    const folders = [".ci", "scripts", "src", "tests"];
    const pages = ["README.md", "CHANGELOG.md", "LICENSE"];
    const settings = ["package.json", "bun.lock", "bunfig.toml", "tsconfig.json", "knip.json", ".gitignore"];
    const tools = [".oxlintrc.json", ".oxfmtrc.json"];
    expect([...top].sort()).toEqual([...folders, ...pages, ...settings, ...tools].sort());
  });

  test("holds no unfinished business", () => {
    expect(files.flatMap(([path, text]) => findLines(path, text, unfinished))).toEqual([]);
    expect(findLines("x", "// TODO later", unfinished)).toHaveLength(1);
  });

  test("names no path of the machine it was written on", () => {
    const pattern = machinePaths(repository, homedir());
    expect(files.flatMap(([path, text]) => findLines(path, text, pattern))).toEqual([]);
    const planted = machinePaths("/builds/rtchat", "/home/ana");
    expect(findLines("x", "see /builds/rtchat/src", planted)).toHaveLength(1);
    expect(findLines("x", "see /builds/other", planted)).toHaveLength(1);
    expect(findLines("x", "see /home/bob/x", planted)).toHaveLength(1);
    expect(findLines("x", "see https://example.org/builds/7 and docs/builds/x", planted)).toHaveLength(0);
  });

  test("installs from no named registry", () => {
    const lock = files.find(([path]) => path === "bun.lock")![1];
    expect(findLines("bun.lock", lock, /https?:\/\//)).toEqual([]);
    const settings = files.filter(([path]) =>
      /(^|\/)(\.npmrc|bunfig\.toml|package\.json|\.yarnrc.*)$/.test(path),
    );
    expect(settings.flatMap(([path, text]) => findLines(path, text, /registry/i))).toEqual([]);
    expect(findLines("bunfig.toml", `registry = "https://npm.example.org"`, /registry/i)).toHaveLength(1);
  });

  test("mentions no tracker numbers", () => {
    const pages = files.filter(([path]) => path !== "bun.lock");
    expect(pages.flatMap(([path, text]) => findLines(path, text, internal))).toEqual([]);
    expect(findLines("x", "as issue 12 asks", internal)).toHaveLength(1);
  });
});

describe("the source", () => {
  const source = files.filter(([path]) => /^(src|scripts|tests)\/.*\.tsx?$/.test(path));

  test("casts through nothing", () => {
    expect(source.flatMap(([path, text]) => findLines(path, text, doubleCast))).toEqual([]);
    expect(findLines("x", "const a = b as unknown as C;", doubleCast)).toHaveLength(1);
  });

  test("starts from a file that loads nothing but its version, so that --version answers at once", () => {
    const main = source.find(([path]) => path === "src/main.ts")![1];
    const imports = new Bun.Transpiler({ loader: "ts" }).scanImports(main);
    const eager = imports.filter((one) => one.kind === "import-statement").map((one) => one.path);
    expect(eager).toEqual(["../package.json"]);
    expect(imports.length).toBeGreaterThan(eager.length);
  });

  test("imports by literal paths only, so that the linter sees where each import points", () => {
    const ours = source.filter(([path]) => path.startsWith("src/"));
    expect(ours.flatMap(([path, text]) => findLines(path, text, computedImport))).toEqual([]);
    expect(findLines("x", "await import(`../net/a.ts`)", computedImport)).toHaveLength(1);
    expect(findLines("x", "await import(name)", computedImport)).toHaveLength(1);
    expect(findLines("x", `await import("./modes/server.ts")`, computedImport)).toHaveLength(0);
  });
});

describe("the pages", () => {
  /** Relative link and image targets of a Markdown page that do not exist. */
  function brokenLinks(path: string, text: string): string[] {
    const targets = [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)[^)]*\)/g)].map(
      (match) => match[1] ?? "",
    );
    return targets.filter((target) => !existsSync(join(repository, dirname(path), target)));
  }

  test("link only to files that exist", () => {
    const pages = files.filter(([path]) => path.endsWith(".md"));
    expect(
      pages.flatMap(([path, text]) => brokenLinks(path, text).map((target) => `${path}: ${target}`)),
    ).toEqual([]);
    expect(brokenLinks("README.md", "see [this](docs/none.md#part)")).toEqual(["docs/none.md"]);
    expect(brokenLinks("README.md", "see [this](package.json) and [that](https://example.org)")).toEqual([]);
  });
});
