/** The commands that only a mesh has: who is there, why not, whose key it is, who may come in. */
import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import { formatPeerId } from "../../identity/peer-id.ts";
import { peerLines, whyLines } from "../../mesh/console/format.ts";
import { findPeer, plainName } from "../../mesh/console/names.ts";
import type { MeshNode } from "../../mesh/node/node.ts";
import type { PeerView } from "../../mesh/node/views.ts";
import { AddressError, parseAddress } from "../../protocol/address.ts";
import type { Command, CommandContext, CommandName } from "../../tui/commands/command.ts";
import { pathOf } from "../files/commands.ts";

type Run = (context: CommandContext, rest: string) => void;

/**
 * All of them, over one node.
 * @param putOut says that this device was put out of the mesh, if it was
 */
export function peerCommands(
  node: MeshNode,
  defaultPort: number,
  putOut: () => string | undefined,
): readonly Command[] {
  const command = (name: CommandName, run: Run, completes: Command["completes"] = "nothing"): Command => ({
    name,
    aliases: [],
    completes,
    run,
  });
  return [
    command("peers", (context) =>
      context.say(...listed(peerLines(node.peers(), (id) => view(node, id), context.words.peers))),
    ),
    command("why", (context, rest) => why(node, context, rest), "nick"),
    command("verify", (context, rest) => verify(node, context, rest), "nick"),
    command("invite", (context, rest) => {
      const out = putOut();
      if (out !== undefined) context.complain(out);
      else if (rest === "") {
        const hint = context.copyHint === undefined ? [] : [context.copyHint];
        context.say(context.words.peers.inviteHead, `  rtchat peer '${node.invite()}'`, ...hint);
      } else writeInvite(node, context, pathOf(rest));
    }),
    command("lock", (context) => setInviteOnly(node, context, true)),
    command("unlock", (context) => setInviteOnly(node, context, false)),
    command("remove", (context, rest) => remove(node, context, rest), "nick"),
    command("connect", (context, rest) => connect(node, context, rest, defaultPort)),
    command("id", (context) => context.say(`  ${formatPeerId(node.self)}`)),
  ];
}

function view(node: MeshNode, peerId: string): PeerView | undefined {
  return node.peers().find((peer) => peer.peerId === peerId);
}

/** Lines that keep their columns. */
function listed(lines: readonly string[]): string[] {
  return lines.map((line) => (line.startsWith("  ") ? line : `  ${line}`));
}

function usage(context: CommandContext, name: CommandName): void {
  context.complain(context.words.usage(context.words.commands[name][0]));
}

/** Whom a name means, or undefined after saying why that is not clear. */
function pick(node: MeshNode, context: CommandContext, name: string): PeerView | undefined {
  const found = findPeer(name, node.peers(), context.words.peers);
  if (!("problem" in found)) return found;
  context.complain(found.problem);
  return undefined;
}

function why(node: MeshNode, context: CommandContext, rest: string): void {
  if (rest === "") return context.say(...listed(whyLines(node.why(), context.words.peers)));
  const peer = pick(node, context, rest);
  if (peer !== undefined) context.say(...listed(whyLines(node.why(peer.peerId), context.words.peers)));
}

function verify(node: MeshNode, context: CommandContext, rest: string): void {
  const [name = "", answer = ""] = rest.split(/\s+/);
  if (name === "") return usage(context, "verify");
  const peer = pick(node, context, name);
  const words = context.words.peers;
  if (peer === undefined) return;
  if (peer.presence === "self") return context.complain(words.isYou);
  if (/^(yes|y|sí|si)$/i.test(answer)) {
    node.markVerified(peer.peerId);
    return context.say(words.isVerified(plainName(peer)));
  }
  const twelve = node.words(peer.peerId);
  context.say(
    words.compare(plainName(peer)),
    `  ${twelve.slice(0, 6).join(" ")}`,
    `  ${twelve.slice(6).join(" ")}`,
    words.ifEqual(plainName(peer)),
  );
}

/** Nobody else reads it here, and nothing is overwritten. */
function writeInvite(node: MeshNode, context: CommandContext, path: string): void {
  const words = context.words.peers;
  try {
    writeFileSync(path, `${node.invite()}\n`, { mode: 0o600, flag: "wx" });
    context.say(words.inviteWritten(path), `  rtchat peer "$(cat ${basename(path)})"`);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    context.complain(code === "EEXIST" ? words.fileExists(path) : words.fileNotWritten(path, code));
  }
}

function setInviteOnly(node: MeshNode, context: CommandContext, inviteOnly: boolean): void {
  node.setInviteOnly(inviteOnly);
  context.say(inviteOnly ? context.words.peers.locked : context.words.peers.unlocked);
}

function remove(node: MeshNode, context: CommandContext, rest: string): void {
  if (rest === "") return usage(context, "remove");
  const peer = pick(node, context, rest);
  if (peer === undefined) return;
  const removed = node.remove(peer.peerId);
  if (!removed.ok) return context.complain(removed.message);
  node.setInviteOnly(true);
  context.say(context.words.peers.isOut(plainName(peer)));
}

function connect(node: MeshNode, context: CommandContext, rest: string, defaultPort: number): void {
  if (rest === "") return usage(context, "connect");
  try {
    node.connect(parseAddress(rest, { port: defaultPort }));
    context.say(context.words.peers.dialling(rest));
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    context.complain(error.message);
  }
}
