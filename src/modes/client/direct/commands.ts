/** `/p2p`, and for those with whom there is a path `/verify` and `/why`. */
import { StateFileError } from "../../../mesh/pairing/json-file.ts";
import { failureIn } from "../../../tui/language/words.ts";
import { parseNick } from "../../../protocol/names.ts";
import {
  splitWords,
  type Command,
  type CommandContext,
  type CommandName,
} from "../../../tui/commands/command.ts";
import type { DirectPaths } from "./paths.ts";
import type { Partner } from "./partner.ts";

/** The commands, over one client's paths. @param isOn they may be used */
export function directCommands(paths: DirectPaths, isOn: boolean): readonly Command[] {
  const command = (name: CommandName, run: Command["run"]): Command => ({
    name,
    aliases: name === "p2p" ? ["direct"] : [],
    completes: "nick",
    run,
  });
  const p2p = (context: CommandContext, rest: string): void => {
    if (!isOn) context.complain(context.words.direct.switchedOff);
    else p2pCommand(paths, context, rest);
  };
  return [
    command("p2p", p2p),
    command("verify", (context, rest) => verify(paths, context, rest)),
    command("why", (context, rest) => why(paths, context, rest)),
  ];
}

function usage(context: CommandContext, name: CommandName): void {
  context.complain(context.words.usage(context.words.commands[name][0]));
}

function p2pCommand(paths: DirectPaths, context: CommandContext, rest: string): void {
  const [first, second, more] = splitWords(rest, 3);
  if (first === undefined) return list(paths, context);
  if (first === "off" && more === undefined) return off(paths, context, second);
  if (first === "forget" && second !== undefined && more === undefined) return forget(paths, context, second);
  if (second !== undefined) return usage(context, "p2p");
  // `@off` is somebody of that name.
  void paths.ask(nickOf(first), (answer) => {
    if (!answer.ok) context.complain(failureIn(context.words, answer));
  });
}

function nickOf(written: string): string {
  return parseNick(written.replace(/^@/, ""));
}

/** Who is meant where nobody is named: the one in front, or the only one there is. */
function meant({ target }: CommandContext, among: readonly Partner[]): string | undefined {
  if (target?.startsWith("@") === true) return target;
  return among.length === 1 ? among[0]?.nick : undefined;
}

function off(paths: DirectPaths, context: CommandContext, written: string | undefined): void {
  const { direct } = context.words;
  const open = paths.partners.filter(({ weAgree, isOver }) => weAgree || isOver);
  const name = written ?? meant(context, open);
  if (name === undefined) return context.complain(open.length === 0 ? direct.none : direct.offWhom);
  const partner = paths.find(nickOf(name));
  if (partner === undefined || !paths.off(partner)) context.complain(direct.notOn(nickOf(name)));
}

function forget(paths: DirectPaths, context: CommandContext, written: string): void {
  const nick = nickOf(written);
  const { direct } = context.words;
  paths.forget(nick).then(
    (forgotten) =>
      forgotten ? context.say(direct.forgotten(nick)) : context.complain(direct.notKnown(nick)),
    (error: unknown) => context.complain(error instanceof Error ? error.message : String(error)),
  );
}

function list(paths: DirectPaths, context: CommandContext): void {
  const { direct } = context.words;
  const { partners } = paths;
  if (partners.length === 0) context.say(direct.none);
  else
    context.say(
      direct.head,
      ...partners.map((partner) => `  ${partner.nick}: ${describe(partner, context)}`),
    );
}

function describe({ path, isOver, weAgree }: Partner, { words: { direct } }: CommandContext): string {
  if (isOver) return direct.titleOver;
  if (path === undefined) return weAgree ? direct.titleAsked : direct.titleAsks;
  const way = path.path;
  if (way === undefined) return direct.titleWaiting;
  const where = way.address === undefined ? direct.titleRelayed : direct.titleDirect(way.address);
  return path.isVerified ? `${where}, ${direct.titleVerified}` : `${where}, ${direct.titleUnverified}`;
}

/** The one who is named, with a path; undefined after saying that there is none. */
function pick(paths: DirectPaths, context: CommandContext, written: string): Required<Partner> | undefined {
  const partner = paths.find(nickOf(written));
  if (partner?.path !== undefined) return partner;
  context.complain(context.words.direct.notOn(nickOf(written)));
  return undefined;
}

function verify(paths: DirectPaths, context: CommandContext, rest: string): void {
  const [written, answer, more] = splitWords(rest, 3);
  if (written === undefined || more !== undefined) return usage(context, "verify");
  const partner = pick(paths, context, written);
  if (partner?.path === undefined) return;
  const { nick, path } = partner;
  const { direct } = context.words;
  if (answer !== undefined && /^(yes|y|sí|si)$/i.test(answer)) {
    try {
      path.markVerified();
    } catch (error) {
      if (!(error instanceof StateFileError)) throw error;
      return context.complain(error.message);
    }
    return context.say(direct.verified(nick));
  }
  const words = path.words();
  if (words === undefined) return context.complain(direct.wordsLater(nick));
  context.say(
    direct.compare(nick),
    `  ${words.slice(0, 6).join(" ")}`,
    `  ${words.slice(6).join(" ")}`,
    direct.compared(nick),
  );
}

function why(paths: DirectPaths, context: CommandContext, rest: string): void {
  const { direct } = context.words;
  const [written, more] = splitWords(rest, 2);
  if (more !== undefined) return usage(context, "why");
  const name =
    written ??
    meant(
      context,
      paths.partners.filter(({ path }) => path !== undefined),
    );
  if (name === undefined) return context.complain(paths.partners.length === 0 ? direct.none : direct.whyWhom);
  const partner = pick(paths, context, name);
  if (partner?.path === undefined) return;
  const { relay, ...reasons } = partner.path.why();
  const lines = (paths.parts?.whyLines(reasons, context.words.peers) ?? []).map((line) =>
    line.startsWith("  ") ? line : `  ${line}`,
  );
  context.say(...lines, ...(relay === undefined ? [] : [`  ${direct.relayFailed(relay)}`]));
}
