/** The engine's settings reach every process that serves, and replacing itself changes nothing else about a server. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { engineVariables, needsEngineVariables } from "../../src/modes/engine.ts";
import { rtchatBinary } from "../support/binary.ts";
import { openLab } from "../support/lab.ts";

const lab = openLab();
const [setting = "", value = ""] = Object.entries(engineVariables)[0] ?? [];

/** Reads a process's output until it matches. */
async function until(stream: ReadableStream<Uint8Array>, pattern: RegExp): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (pattern.test(text)) return text;
  }
  throw new Error(`ended without ${pattern}: ${text}`);
}

describe("a server that is started by hand", () => {
  test.skipIf(process.platform !== "linux")(
    "has the settings under its first process id, takes its arguments, and stops when told",
    async () => {
      const data = join(await lab.folder(), "data");
      const command = [await rtchatBinary(), "server", "--port", "0", "--data", data, "--log-format", "json"];
      const { PATH = "" } = process.env;
      const server = Bun.spawn(command, { env: { PATH }, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
      try {
        await until(server.stderr, /"ready"/);
        const environment = readFileSync(`/proc/${server.pid}/environ`, "utf8").split("\0");
        expect(environment).toContain(`${setting}=${value}`);
        expect(environment).toContain(`PATH=${PATH}`);
        server.kill("SIGTERM");
        expect(await server.exited).toBe(0);
        expect(await new Response(server.stdout).text()).toBe("");
      } finally {
        server.kill("SIGKILL");
        await server.exited;
      }
    },
  );

  test("replaces itself once, and not under a parent that waits for it", () => {
    expect(needsEngineVariables({})).toBe(true);
    expect(needsEngineVariables({ ...engineVariables })).toBe(false);
    expect(needsEngineVariables({ [setting]: "5" })).toBe(false);
    expect(needsEngineVariables({ RTCHAT_READY_FD: "3" })).toBe(false);
  });
});
