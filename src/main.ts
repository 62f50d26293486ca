/**
 * The executable's first file: reads the mode and loads only that mode.
 *
 * It imports nothing but its version, so that `rtchat --version` answers in a few milliseconds, and a client does not
 * wait for the code of a server.
 */
import { version } from "../package.json";

const modes = {
  up: () => import("./modes/up.ts"),
  server: () => import("./modes/server.ts"),
  balancer: () => import("./modes/balancer.ts"),
  peer: () => import("./modes/peer.ts"),
  status: () => import("./modes/status.ts"),
  client: () => import("./modes/client.ts"),
  send: () => import("./modes/send.ts"),
  tail: () => import("./modes/tail.ts"),
  export: () => import("./modes/export.ts"),
  backup: () => import("./modes/backup.ts"),
  id: () => import("./modes/id.ts"),
  completions: () => import("./modes/completions.ts"),
  config: () => import("./modes/config.ts"),
  help: () => import("./modes/help.ts"),
};

/** Modes that serve many: worth the few milliseconds of starting again. */
const serving: readonly string[] = ["server", "balancer"];

const [word = "help", ...rest] = process.argv.slice(2);
if (word === "--version" || word === "-V") {
  process.stdout.write(`rtchat ${version}\n`);
} else {
  const mode = word === "--help" || word === "-h" ? "help" : word;
  if (Object.hasOwn(modes, mode)) {
    if (serving.includes(mode)) (await import("./modes/engine.ts")).tuneEngine();
    // hasOwn has just shown that `mode` is a key.
    const { start } = await modes[mode as keyof typeof modes]();
    await start(rest);
  } else {
    const { refuseMode } = await import("./modes/help.ts");
    refuseMode(mode);
  }
}
