/** Plays the conversations and writes the pictures: `scripts/screenshots`. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { TerminalScreen } from "../../tests/support/terminal.ts";
import { playClient, playPeers } from "./stage.ts";
import type { Stagehands } from "./stage.ts";
import { dark, light, toSvg } from "./svg.ts";

const root = resolve(import.meta.dir, "../..");
const binary = process.env["RTCHAT_BIN"] ?? join(root, "dist/rtchat");
const target = join(root, "src/tui/screenshots");
const folder = mkdtempSync(join(tmpdir(), "rtchat-pictures-"));
const screens: TerminalScreen[] = [];
const servers: Bun.Subprocess[] = [];

function environment(name: string): Record<string, string> {
  const home = join(folder, name);
  mkdirSync(home, { recursive: true });
  return { PATH: process.env["PATH"] ?? "", HOME: home, TZ: "UTC", LC_ALL: "C.UTF-8", USER: name };
}

const hands: Stagehands = {
  async serve(...args) {
    const server = Bun.spawn([binary, ...args], {
      env: environment("server"),
      stderr: "pipe",
      stdout: "ignore",
    });
    servers.push(server);
    let log = "";
    const decoder = new TextDecoder();
    for await (const chunk of server.stderr) {
      log += decoder.decode(chunk, { stream: true });
      const listen = / listen=(\S+)/.exec(log)?.[1];
      if (listen !== undefined) return { listen };
    }
    throw new Error(`the server ended before it was ready: ${log}`);
  },
  terminal(name, size, ...args) {
    const screen = new TerminalScreen([binary, ...args], size, environment(name));
    screens.push(screen);
    return Promise.resolve(screen);
  },
};

try {
  const [wide, narrow] = await playClient(hands);
  const peers = await playPeers(hands);
  mkdirSync(target, { recursive: true });
  for (const [name, shot, palette] of [
    ["client-dark", wide, dark],
    ["client-light", narrow, light],
    ["peer-dark", peers, dark],
  ] as const) {
    writeFileSync(join(target, `${name}.svg`), toSvg(shot, palette));
    process.stdout.write(`wrote src/tui/screenshots/${name}.svg\n`);
  }
} finally {
  for (const screen of screens) await screen.destroy();
  for (const server of servers) {
    server.kill();
    await server.exited;
  }
  rmSync(folder, { recursive: true, force: true });
}
