/** What the build's flags promise, shown on the binary. */
import { describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { rtchatBinary } from "../support/binary.ts";
import { openLab } from "../support/lab.ts";

const lab = openLab();

describe("the binary", () => {
  test("runs nothing it finds in the folder where it is started", async () => {
    const folder = join(await lab.folder(), "hostile");
    await mkdir(folder);
    const trap = `await Bun.write(${JSON.stringify(join(folder, "sprung"))}, "x"); console.log("preloaded");`;
    await Bun.write(join(folder, "trap.ts"), trap);
    await Bun.write(join(folder, "bunfig.toml"), `preload = ["./trap.ts"]\n[run]\npreload = ["./trap.ts"]\n`);
    await Bun.write(join(folder, ".env"), "RTCHAT_SERVERS=many\n");
    await Bun.write(
      join(folder, "tsconfig.json"),
      `{ "compilerOptions": { "paths": { "*": ["./trap.ts"] } } }`,
    );
    await Bun.write(join(folder, "package.json"), `{ "name": "trap", "imports": { "#x": "./trap.ts" } }`);

    const inFolder = (line: string) => ["/bin/sh", "-c", `cd "$0" && exec "$1" ${line}`, folder];
    const binary = await rtchatBinary();
    const help = await (await lab.startWith({ command: inFolder("help up"), input: "" }, binary)).ended();
    expect(help.code).toBe(0);
    expect(help.stdout).toStartWith("rtchat up: ");
    expect(await Bun.file(join(folder, "sprung")).exists()).toBe(false);

    // .env would have made this a usage error about RTCHAT_SERVERS; the flag that is refused comes after it.
    const up = await (
      await lab.startWith({ command: inFolder("up --server-ports x"), input: "" }, binary)
    ).ended();
    expect(up.stderr).toStartWith(`rtchat up: --server-ports: "x" is not a port`);
  });

  test("is itself: it does not become bun for those who ask", async () => {
    const { code, stdout } = await lab.run("run", "x.ts");
    expect([code, stdout]).toEqual([2, ""]);
  });
});
