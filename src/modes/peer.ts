/** `rtchat peer`: a node of the mesh with a console on stdin and stdout. */
import { randomBytes } from "node:crypto";
import { userInfo } from "node:os";
import { createInterface } from "node:readline";
import { explainSystemError, Failure, UsageError } from "../cli/errors.ts";
import type { Config } from "../cli/flag.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { makeCredentials } from "../identity/certificate.ts";
import { IdentityError, loadOrCreateIdentity } from "../identity/key-file.ts";
import { formatPeerId } from "../identity/peer-id.ts";
import { PeerConsole } from "../mesh/console/console.ts";
import { StoreError } from "../mesh/core/store-error.ts";
import { DiskMeshes } from "../mesh/node/disk-meshes.ts";
import { HomeError, PeerHome } from "../mesh/node/home.ts";
import { MeshNode } from "../mesh/node/node.ts";
import { InviteError, parseInvite, type Invite } from "../mesh/pairing/invite.ts";
import { StateFileError } from "../mesh/pairing/json-file.ts";
import { formatAddress } from "../protocol/address.ts";
import { systemClock } from "../protocol/clock.ts";
import { peerConsoleLimits } from "../protocol/limits.peer.ts";
import { parseNick } from "../protocol/names.ts";
import { peerPort } from "./flags/common.ts";
import { peerMode } from "./flags/peer.ts";

type PeerConfig = Config<typeof peerMode.flags>;

export const start: StartMode = modeStarter(peerMode, async (config, context) => {
  const invite = context.positional === undefined ? undefined : readInvite(context.positional);
  const peer = await compose(config, invite);
  try {
    peer.node.start();
  } catch (error) {
    await peer.close();
    throw explainSystemError(error, formatAddress(config.listen)) ?? error;
  }
  context.ready({
    listen: formatAddress({ host: config.listen.host, port: peer.node.port ?? 0 }),
    id: peer.node.self,
  });
  if (!config.json) greet(peer.node, config, invite);
  peer.console.start();
  const inputEnded = readInput(peer);
  const reason = await Promise.race([
    peer.left,
    context.stopped(),
    inputEnded.then(() => (config.follow ? new Promise<never>(() => {}) : "input ended")),
  ]);
  const delivered = reason !== "input ended" || (await untilHeld(peer.console));
  await peer.close();
  if (!delivered) {
    throw new Failure(
      "nobody else has what you wrote yet",
      "it is kept, and sent when you run rtchat peer again",
    );
  }
});

interface RunningPeer {
  readonly node: MeshNode;
  readonly console: PeerConsole;
  /** Resolves when the person asked to leave. */
  readonly left: Promise<"quit">;
  readonly quit: () => void;
  close(): Promise<void>;
}

async function compose(config: PeerConfig, invite: Invite | undefined): Promise<RunningPeer> {
  try {
    const identity = loadOrCreateIdentity(config.data);
    const home = new PeerHome(config.data);
    for (const address of config.forget ?? []) home.known.forget(address);
    const { promise: left, resolve } = Promise.withResolvers<"quit">();
    const quit = (): void => resolve("quit");
    const shared = {
      identity,
      home,
      clock: systemClock,
      random: Math.random,
      randomBytes: (length: number) => new Uint8Array(randomBytes(length)),
    };
    const node = new MeshNode({
      ...shared,
      opener: new DiskMeshes(shared),
      tls: await makeCredentials(identity),
      nick: config.nick,
      fallbackNick: loginName(),
      listen: config.listen,
      connect: config.connect ?? [],
      announce: config.announce,
      invite,
      inviteOnly: config.inviteOnly,
      onEvent: (event) => console.event(event),
    });
    const console = new PeerConsole({
      node,
      json: config.json,
      room: config.room,
      defaultPort: peerPort,
      print: (line) => void process.stdout.write(`${line}\n`),
      complain: (line) => void process.stderr.write(`${line}\n`),
      quit,
    });
    const close = async (): Promise<void> => {
      await node.stop();
      home.close();
    };
    return { node, console, left, quit, close };
  } catch (error) {
    if (isExplained(error)) throw new Failure(error.message, "", { cause: error });
    throw error;
  }
}

function isExplained(error: unknown): error is Error {
  return [IdentityError, HomeError, StateFileError, StoreError].some((kind) => error instanceof kind);
}

function readInvite(text: string): Invite {
  try {
    return parseInvite(text);
  } catch (error) {
    if (error instanceof InviteError) throw new UsageError(error.message, "", { cause: error });
    throw error;
  }
}

/** The login name where it can be a nick. */
function loginName(): string {
  try {
    return parseNick(userInfo().username);
  } catch {
    return "guest";
  }
}

function greet(node: MeshNode, config: PeerConfig, invite: Invite | undefined): void {
  const lines = [`· your ID is ${formatPeerId(node.self)}`];
  if (invite === undefined && config.connect === undefined) {
    lines.push(
      "· to let one person in, give them this, good for a day and for one device:",
      `  rtchat peer '${node.invite()}'`,
    );
  }
  lines.push("· type and press Enter to write; /help shows the commands");
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** Feeds stdin to the console, line by line. Resolves at its end. */
function readInput({ console, quit }: RunningPeer): Promise<void> {
  return new Promise((resolve) => {
    const input = createInterface({
      input: process.stdin,
      terminal: process.stdin.isTTY && process.stdout.isTTY,
    });
    input.on("line", (line) => console.input(line));
    // Ctrl-C on a terminal comes here and not as a signal.
    input.on("SIGINT", quit);
    input.on("close", resolve);
  });
}

/** True once everything written is held by somebody else; false when that takes too long. */
async function untilHeld(console: PeerConsole): Promise<boolean> {
  const deadline = performance.now() + peerConsoleLimits.heldMs;
  while (console.unheld > 0) {
    if (performance.now() > deadline) return false;
    await Bun.sleep(20);
  }
  return true;
}
