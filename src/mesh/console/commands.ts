/** From a typed line to what is meant: the commands of peer mode, with what /help says of them. Pure. */

/** A command of peer mode. */
export interface CommandRow {
  readonly name: string;
  readonly aliases: readonly string[];
  /** How it is written, without the slash. */
  readonly usage: string;
  readonly summary: string;
  /** Words it needs. */
  readonly least: number;
}

const row = (usage: string, summary: string, least: number, ...aliases: readonly string[]): CommandRow => ({
  name: usage.split(" ")[0] ?? "",
  aliases,
  usage,
  summary,
  least,
});

/** In the order of /help. */
export const commandRows = [
  row("join ROOM", "write to another room", 1, "j"),
  row("msg NAME TEXT", "write to one member; nobody else can read it", 2, "m", "w", "query"),
  row("me TEXT", "say what you do", 1),
  row("nick NAME", "be called something else", 1),
  row("topic [TEXT]", "show or set what the room is about; a single - clears it", 0),
  row("rooms", "rooms with messages in them", 0),
  row("history [COUNT]", "the last messages of this room", 0),
  row("peers", "who is in the mesh, how they are reached, and whose key is checked", 0, "names", "who"),
  row("why [NAME]", "what went wrong at each address that was tried", 0),
  row("verify NAME [yes]", "twelve words to compare; then mark the name as checked", 1),
  row("invite", "make an invite that lets one person in", 0),
  row("lock", "let in only who has an invite", 0),
  row("unlock", "let in who knows an address", 0),
  row("remove NAME", "put somebody out for good; the mesh gets a new secret", 1),
  row("connect ADDRESS", "dial somebody now", 1),
  row("id", "your own peer ID", 0),
  row("help [COMMAND]", "this list", 0, "?", "h"),
  row("quit", "leave; what you wrote stays with the others", 0, "q", "exit", "bye"),
] as const satisfies readonly CommandRow[];

/** What a line means. */
export type Typed =
  | { readonly kind: "nothing" }
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "command";
      readonly name: string;
      readonly words: readonly string[];
      readonly rest: string;
    }
  | { readonly kind: "mistake"; readonly message: string };

/**
 * Reads one line. A slash and a letter make a command; two slashes send a line that begins with one.
 * `rest` is all after the name; `words` its words.
 */
export function parseTyped(line: string): Typed {
  if (line.trim() === "") return { kind: "nothing" };
  if (line.startsWith("//")) return { kind: "text", text: line.slice(1) };
  const match = /^\/([a-z?]+)(?:\s+([\s\S]*))?$/i.exec(line);
  if (match === null) return { kind: "text", text: line };
  const written = (match[1] ?? "").toLowerCase();
  const rest = (match[2] ?? "").trim();
  const rows: readonly CommandRow[] = commandRows;
  const found = rows.find(({ name, aliases }) => name === written || aliases.includes(written));
  if (found === undefined)
    return { kind: "mistake", message: `there is no command /${written}; /help shows those there are` };
  const words = rest === "" ? [] : rest.split(/\s+/);
  if (words.length < found.least) return { kind: "mistake", message: `write it as /${found.usage}` };
  return { kind: "command", name: found.name, words, rest };
}
