/** A missing program is a skip for a person and a failure for CI, never silence. */
import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { openLab } from "../support/lab.ts";

const lab = openLab();
const module = JSON.stringify(resolve(import.meta.dir, "../support/services.ts"));
const find = async (env: Record<string, string>) =>
  (
    await lab.startWith({
      command: [
        process.execPath,
        "-e",
        `import { findService } from ${module}; console.log(findService("fish"))`,
      ],
      input: "",
      env,
    })
  ).ended();

test("a program is found by its variable, else on PATH", async () => {
  expect((await find({ RTCHAT_TEST_FISH: "/bin/sh" })).stdout).toBe("/bin/sh\n");
  expect((await find({ PATH: "/nowhere", RTCHAT_TEST_FISH: "" })).stdout).toBe("undefined\n");
});

test("a missing program says what to install or set", async () => {
  const { code, stderr } = await find({ PATH: "/nowhere" });
  expect(code).toBe(0);
  expect(stderr).toBe(
    "tests skipped: fish is not installed: install the Debian package fish, or set RTCHAT_TEST_FISH to its path\n",
  );
});

test("a missing program is an error where services are required", async () => {
  const { code, stderr } = await find({ PATH: "/nowhere", RTCHAT_TEST_REQUIRE_SERVICES: "1" });
  expect(code).toBe(1);
  expect(stderr).toContain("install the Debian package fish");
});
