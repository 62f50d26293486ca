/**
 * Completion scripts for bash, zsh and fish, from the tables that parse and help.
 *
 * The scripts are static: pressing Tab starts no process. Words in them are ours (names, summaries, choices), quoted for
 * the shell all the same, so that a summary with an apostrophe cannot break the script.
 */
import { type Flag, flagName, type ModeDefinition } from "./flag.ts";

/** Shells we complete for. */
export const shells = ["bash", "zsh", "fish"] as const;

/** One of {@link shells}. */
export type Shell = (typeof shells)[number];

/** One spelling of a flag, as a shell needs it. */
interface Word {
  readonly name: string;
  readonly short: string | undefined;
  readonly summary: string;
  /** undefined: takes no value. */
  readonly value:
    | { hint: string; choices: readonly string[]; completes: "file" | "folder" | undefined }
    | undefined;
}

function wordsOf(mode: ModeDefinition): Word[] {
  const rows = Object.entries(mode.flags).flatMap(([key, row]) => wordsOfFlag(flagName(key), row));
  return [...rows, { name: "help", short: "h", summary: "show its help", value: undefined }];
}

function wordsOfFlag(name: string, row: Flag): Word[] {
  const { short, summary } = row;
  if (row.kind === "switch") return [{ name, short, summary, value: undefined }];
  const value = { hint: row.hint, choices: row.choices ?? [], completes: row.completes };
  const words: Word[] = [{ name, short, summary, value }];
  if (row.negative !== undefined) {
    words.push({ name: `no-${name}`, short: undefined, summary: row.negative, value: undefined });
  }
  return words;
}

/** The script to source for a shell. */
export function renderCompletions(shell: Shell, modes: readonly ModeDefinition[]): string {
  const scripts = { bash: renderBash, zsh: renderZsh, fish: renderFish };
  return scripts[shell](modes);
}

/** In single quotes, for bash and zsh. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function renderBash(modes: readonly ModeDefinition[]): string {
  const names = modes.map((mode) => mode.name);
  const reply = (words: readonly string[]) =>
    `COMPREPLY=($(compgen -W ${quoted(words.join("\n"))} -- "$cur"))`;
  const cases = modes.map((mode) => {
    const words = wordsOf(mode);
    const values = words.flatMap(({ name, short, value }) => {
      if (value === undefined) return [];
      const pattern = short === undefined ? `--${name}` : `--${name}|-${short}`;
      if (value.choices.length > 0) return [`        ${pattern}) ${reply(value.choices)}; return ;;`];
      if (value.completes !== undefined) {
        const kind = value.completes === "folder" ? "-d" : "-f";
        return [
          `        ${pattern}) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen ${kind} -- "$cur")); return ;;`,
        ];
      }
      return [`        ${pattern}) return ;;`];
    });
    const flags = words.map(({ name }) => `--${name}`);
    const bare = mode.positional === undefined ? flags : [...mode.positional.choices, ...flags];
    return [
      `    ${mode.name})`,
      ...(values.length > 0 ? [`      case "$prev" in`, ...values, "      esac"] : []),
      `      ${reply(bare)} ;;`,
    ].join("\n");
  });
  return `# bash completion for rtchat: source <(rtchat completions bash)
_rtchat() {
  local IFS=$'\\n' cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  # bash takes --flag=value apart into three words.
  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    ${reply([...names, "--help", "--version"])}
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
}
complete -F _rtchat rtchat
`;
}

/** Inside a zsh _arguments or _describe spec, colons and brackets have meanings of their own. */
function zshText(text: string): string {
  return text.replaceAll(/[\\:[\]]/g, (mark) => `\\${mark}`);
}

function renderZsh(modes: readonly ModeDefinition[]): string {
  const described = modes.map((mode) => `    ${quoted(`${mode.name}:${zshText(mode.summary)}`)}`);
  const cases = modes.map((mode) => {
    const specs = wordsOf(mode).flatMap(({ name, short, summary, value }) => {
      const action =
        value === undefined
          ? ""
          : value.choices.length > 0
            ? `(${value.choices.join(" ")})`
            : value.completes === "folder"
              ? "_files -/"
              : value.completes === "file"
                ? "_files"
                : " ";
      const tail = `[${zshText(summary)}]${value === undefined ? "" : `:${zshText(value.hint)}:${action}`}`;
      const long = quoted(`--${name}${value === undefined ? "" : "="}${tail}`);
      return short === undefined ? [long] : [long, quoted(`-${short}${tail}`)];
    });
    const { positional } = mode;
    if (positional !== undefined) {
      const words = positional.choices.length === 0 ? "" : `(${positional.choices.join(" ")})`;
      specs.push(quoted(`1:${zshText(positional.hint)}:${words}`));
    }
    return `    ${mode.name})\n      _arguments -s \\\n        ${specs.join(" \\\n        ")} ;;`;
  });
  return `#compdef rtchat
# zsh completion for rtchat: source <(rtchat completions zsh), or save it as _rtchat in a folder of $fpath
_rtchat() {
  local -a modes
  modes=(
${described.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe mode modes
    return
  fi
  local mode=$words[2]
  shift words
  (( CURRENT-- ))
  case $mode in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == _rtchat ]]; then _rtchat "$@"; else compdef _rtchat rtchat; fi
`;
}

/** In single quotes, for fish. */
function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function renderFish(modes: readonly ModeDefinition[]): string {
  const lines = modes.flatMap((mode) => {
    const inMode = fishQuoted(`__fish_seen_subcommand_from ${mode.name}`);
    const flags = wordsOf(mode).map(({ name, short, summary, value }) => {
      const letter = short === undefined ? "" : ` -s ${short}`;
      const takes =
        value === undefined
          ? ""
          : value.choices.length > 0
            ? ` -xa ${fishQuoted(value.choices.join(" "))}`
            : value.completes === "folder"
              ? ` -xa '(__fish_complete_directories)'`
              : value.completes === "file"
                ? " -rF"
                : " -x";
      return `complete -c rtchat -n ${inMode} -l ${name}${letter}${takes} -d ${fishQuoted(summary)}`;
    });
    const words = mode.positional?.choices ?? [];
    const argument =
      words.length === 0 ? [] : [`complete -c rtchat -n ${inMode} -a ${fishQuoted(words.join(" "))}`];
    const own = `complete -c rtchat -n __fish_use_subcommand -a ${mode.name} -d ${fishQuoted(mode.summary)}`;
    return [own, ...flags, ...argument];
  });
  return `# fish completion for rtchat: rtchat completions fish | source
complete -c rtchat -f
complete -c rtchat -n __fish_use_subcommand -l version -s V -d 'show the version'
complete -c rtchat -n __fish_use_subcommand -l help -s h -d 'show help'
${lines.join("\n")}
`;
}
