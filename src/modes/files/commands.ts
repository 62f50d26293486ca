/** The commands about files: offer one, take it, refuse it, stop it, see which there are. */
import { existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import type { FileExchange, Refusal } from "../../mesh/transfer/exchange.ts";
import type { TransferView } from "../../mesh/transfer/transfer.ts";
import type { Command, CommandContext, CommandName } from "../../tui/commands/command.ts";
import { formatBytes, percent } from "../../tui/progress.ts";

/** A chat over which files can go. */
export interface FileParties {
  readonly exchange: Pick<FileExchange, "offer" | "accept" | "cancel" | "list">;
  /** Whom a typed name means, and whether a file could be sent to them now; or why that is not clear, in words. */
  find(
    name: string,
  ):
    | { readonly peer: string; readonly nick: string; readonly reach: "direct" | "none" | "self" }
    | { readonly problem: string };
  /** Those a file can be sent to now. */
  reachable(): readonly string[];
  nameOf(peer: string): string;
}

/** All of them. */
export function fileCommands(parties: FileParties): readonly Command[] {
  const command = (
    name: CommandName,
    run: (context: CommandContext, rest: string) => void,
    completes: Command["completes"] = "nothing",
  ): Command => ({ name, aliases: [], completes, run });
  return [
    command("send", (context, rest) => send(parties, context, rest)),
    command("accept", (context, rest) => answer(parties, context, rest, "accept")),
    command("refuse", (context, rest) => answer(parties, context, rest, "cancel")),
    command("cancel", (context, rest) => {
      if (rest === "") context.complain(context.words.usage(context.words.commands.cancel[0]));
      else numbered(parties, context, rest, "cancel");
    }),
    command("files", (context) => list(parties, context)),
  ];
}

/** What was typed after `/send`: a path, in quotes if one likes, and perhaps a nick. */
export function readSend(
  rest: string,
  exists: (path: string) => boolean,
): { readonly path: string; readonly nick: string | undefined } {
  const quoted = /^(["'])(.+?)\1(?:\s+(\S+))?$/.exec(rest);
  if (quoted !== null) return { path: quoted[2] ?? "", nick: quoted[3] };
  const split = /^(.+?)\s+(\S+)$/.exec(rest);
  // A name with spaces in it, to whoever is meant anyway.
  if (split === null || exists(pathOf(rest))) return { path: rest, nick: undefined };
  return { path: split[1] ?? "", nick: split[2] };
}

/** A typed path: `~` is the home folder, `\ ` a space, as in a shell. */
export function pathOf(typed: string): string {
  const plain = typed.replaceAll(/\\(.)/g, "$1");
  return resolve(plain.replace(/^~(?=\/|$)/, () => homedir()));
}

function send(parties: FileParties, context: CommandContext, rest: string): void {
  const { words } = context;
  if (rest === "") return context.complain(words.usage(words.commands.send[0]));
  const { path: typed, nick } = readSend(rest, existsSync);
  const path = pathOf(typed);
  const whom = nick ?? (context.target?.startsWith("@") === true ? context.target : only(parties));
  if (whom === undefined) return context.complain(words.files.toWhom);
  const found = parties.find(whom);
  if ("problem" in found) return context.complain(found.problem);
  if (found.reach === "self") return context.complain(words.files.toYourself);
  if (found.reach === "none") return context.complain(words.files.noLink(found.nick));
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return context.complain(words.files.whatFile(path));
  if (stats.isDirectory()) return context.complain(words.files.isFolder(path));
  if (parties.exchange.offer(found.peer, path) === "too-many")
    context.complain(words.files.tooMany(found.nick));
}

/** Whoever is meant when there is only one. */
function only(parties: FileParties): string | undefined {
  const [first, ...others] = parties.reachable();
  return first === undefined || others.length > 0 ? undefined : parties.nameOf(first);
}

/** Accepts or refuses an offer: the one that is named, or the only one. */
function answer(parties: FileParties, context: CommandContext, rest: string, how: "accept" | "cancel"): void {
  if (rest !== "") return numbered(parties, context, rest, how);
  const offers = parties.exchange
    .list()
    .filter(({ direction, state }) => direction === "in" && state === "offered");
  const { files } = context.words;
  const [first, ...others] = offers;
  if (first === undefined) context.complain(files.noOffer);
  else if (others.length > 0) context.complain(files.whichOffer);
  else numbered(parties, context, String(first.number), how);
}

function numbered(
  { exchange }: FileParties,
  context: CommandContext,
  rest: string,
  how: "accept" | "cancel",
): void {
  const { files } = context.words;
  const number = Number(rest.replace(/\.$/, ""));
  const name = exchange.list().find((view) => view.number === number)?.name ?? "";
  const result: Refusal | "later" | undefined = exchange[how](number);
  if (result === "later") context.say(files.youAccepted(name));
  else if (result === "no-such-transfer") context.complain(files.noSuch(rest));
  else if (result === "not-offered") context.complain(files.notOffered(rest));
}

function list(parties: FileParties, context: CommandContext): void {
  const { files, locale } = context.words;
  const views = parties.exchange.list();
  if (views.length === 0) return context.say(files.none);
  context.say(
    ...views.map((view) => {
      const { number, direction, peer, name, size } = view;
      const way = direction === "in" ? files.from : files.to;
      return `  ${files.listed(number, way, parties.nameOf(peer), name, formatBytes(size, locale), stateOf(view, context))}`;
    }),
  );
}

function stateOf({ state, done, size }: TransferView, { words }: CommandContext): string {
  const word = words.files.states[state];
  return state === "running" ? `${word}, ${percent(done, size)}` : word;
}
