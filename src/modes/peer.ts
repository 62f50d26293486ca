/** `rtchat peer`: a node of the mesh under the same screens, lines and pipes as `rtchat client`. */
import { randomBytes } from "node:crypto";
import { Failure, UsageError } from "../cli/errors.ts";
import type { Config } from "../cli/flag.ts";
import { modeStarter, type ModeContext, type StartMode } from "../cli/run.ts";
import { makeCredentials } from "../identity/certificate.ts";
import { IdentityError, loadOrCreateIdentity } from "../identity/key-file.ts";
import { formatPeerId } from "../identity/peer-id.ts";
import { StoreError } from "../mesh/core/store-error.ts";
import { DiskMeshes } from "../mesh/node/disk-meshes.ts";
import { HomeError, PeerHome } from "../mesh/node/home.ts";
import { DiskFiles } from "../mesh/transfer/disk-files.ts";
import { MeshNode } from "../mesh/node/node.ts";
import { InviteError, parseInvite, type Invite } from "../mesh/pairing/invite.ts";
import { StateFileError } from "../mesh/pairing/json-file.ts";
import { formatAddress } from "../protocol/address.ts";
import { systemClock } from "../protocol/clock.ts";
import { wordsOf } from "./client/connect.ts";
import type { Words } from "../tui/language/words.ts";
import { loginNick, peerPort } from "./flags/common.ts";
import { peerMode } from "./flags/peer.ts";
import { MeshBackend } from "./peer/backend.ts";
import { runScreens } from "./peer/screens.ts";
import { systemListenFailure } from "./ports.ts";

type PeerConfig = Config<typeof peerMode.flags>;

export const start: StartMode = modeStarter(peerMode, async (config, context) => {
  const invite = context.positional === undefined ? undefined : readInvite(context.positional);
  const peer = await compose(config, context, invite);
  try {
    peer.node.start();
  } catch (error) {
    await peer.close();
    throw systemListenFailure(error, config.listen, "--listen") ?? error;
  }
  context.ready({
    listen: formatAddress({ host: config.listen.host, port: peer.node.port ?? 0 }),
    id: peer.node.self,
  });
  try {
    await runScreens({
      backend: peer.backend,
      config,
      environment: context.environment,
      words: wordsOf(config.lang, context.environment),
      greeting: greeting(peer, config, invite, wordsOf(config.lang, context.environment)),
      isPipe: peer.isPipe,
      stopped: context.stopped(),
    });
  } finally {
    await peer.close();
  }
});

interface RunningPeer {
  readonly node: MeshNode;
  readonly backend: MeshBackend;
  /** Nobody sits at a terminal: lines come from a pipe or a program. */
  readonly isPipe: boolean;
  close(): Promise<void>;
}

async function compose(
  config: PeerConfig,
  context: ModeContext,
  invite: Invite | undefined,
): Promise<RunningPeer> {
  try {
    const identity = loadOrCreateIdentity(config.data);
    const home = new PeerHome(config.data);
    for (const address of config.forget ?? []) home.known.forget(address);
    const shared = {
      identity,
      home,
      clock: systemClock,
      random: Math.random,
      randomBytes: (length: number) => new Uint8Array(randomBytes(length)),
    };
    const fallbackNick = loginNick(context.environment);
    const node = new MeshNode({
      ...shared,
      opener: new DiskMeshes(shared),
      tls: await makeCredentials(identity),
      nick: config.nick,
      fallbackNick,
      listen: config.listen,
      connect: config.connect ?? [],
      announce: config.announce,
      invite,
      inviteOnly: config.inviteOnly,
      lan: config.lan,
      files: new DiskFiles(config.downloads),
      onEvent: (event) => backend.hear(event),
    });
    const isPipe = config.json || !process.stdin.isTTY || !process.stdout.isTTY;
    const [first = invite?.addresses[0]] = config.connect ?? [];
    const backend = new MeshBackend({
      node,
      clock: systemClock,
      nick: config.nick ?? fallbackNick,
      seeking: first === undefined ? undefined : formatAddress(first),
      untilHeld: isPipe && !config.follow,
      defaultPort: peerPort,
      words: wordsOf(config.lang, context.environment),
    });
    const close = async (): Promise<void> => {
      await node.stop();
      home.close();
    };
    return { node, backend, isPipe, close };
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

/** What a person sees first: who they are, and how somebody else comes in. */
function greeting(
  { node, backend }: RunningPeer,
  config: PeerConfig,
  invite: Invite | undefined,
  { peers }: Words,
): readonly string[] {
  const lines = [peers.yourId(formatPeerId(node.self))];
  if (invite !== undefined || config.connect !== undefined) return lines;
  return [...lines, ...backend.wayIn()];
}
