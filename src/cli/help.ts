/** Help, from the same tables that parse: an overview of all modes, and a page for each. */
import { type Environment, type Flag, flagName, type ModeDefinition, variableName } from "./flag.ts";
import { paint, proseColumns, type Stream } from "./output.ts";

/** `text` broken at spaces, each line after the first indented by `indent` columns. */
function wrap(text: string, columns: number, indent: number): string {
  const pad = " ".repeat(indent);
  return Bun.wrapAnsi(text, columns - indent, { trim: true }).replaceAll("\n", `\n${pad}`);
}

/** Two columns: names on the left, prose on the right; a name that is too long gets a line of its own. */
function twoColumns(rows: readonly (readonly [left: string, right: string])[], stream: Stream): string {
  const widest = 26;
  const left = Math.min(widest, Math.max(...rows.map(([name]) => name.length))) + 2;
  return rows
    .map(([name, prose]) => {
      const shown = paint(stream, "cyan", name);
      const gap = name.length > widest ? `\n${" ".repeat(left + 2)}` : " ".repeat(left - name.length);
      return `  ${shown}${gap}${wrap(prose, proseColumns(stream), left + 2)}`;
    })
    .join("\n");
}

/** The flags of every mode, which main reads itself. */
const commonFlags = [
  ["-h, --help", "show this help"],
  ["-V, --version", "show the version"],
] as const;

/** All modes with a line each. */
export function renderOverview(modes: readonly ModeDefinition[], stream: Stream): string {
  const title = (text: string) => paint(stream, "bold", text);
  return [
    `${title("rtchat")}: real-time chat anyone can host`,
    "",
    `${title("Usage:")} rtchat MODE [flags]`,
    "",
    title("Modes:"),
    twoColumns(
      modes.map(({ name, summary }) => [name, summary]),
      stream,
    ),
    "",
    title("Flags:"),
    twoColumns(commonFlags, stream),
    "",
    title("A chat in two terminals:"),
    "  rtchat up                      three servers and a balancer on this machine",
    "  rtchat client --nick ana       as often as there are people",
    "",
    "rtchat help MODE tells more. Every flag is also a variable: --log-level is RTCHAT_LOG_LEVEL.",
    "",
  ].join("\n");
}

function describeFlag(key: string, row: Flag, environment: Environment): (readonly [string, string])[] {
  const short = row.short === undefined ? "" : `-${row.short}, `;
  if (row.kind === "switch") return [[`${short}--${flagName(key)}`, row.summary]];
  const fallback =
    row.fallbackShown ?? (typeof row.fallback === "function" ? row.fallback(environment) : row.fallback);
  const shown = fallback === undefined ? "" : ` (default ${fallback})`;
  const rows: (readonly [string, string])[] = [
    [`${short}--${flagName(key)} ${row.hint}`, `${row.summary}${shown}`],
  ];
  if (row.negative !== undefined) rows.push([`--no-${flagName(key)}`, row.negative]);
  return rows;
}

/** The page of one mode. */
export function renderHelp(mode: ModeDefinition, environment: Environment, stream: Stream): string {
  const title = (text: string) => paint(stream, "bold", text);
  const { positional } = mode;
  const flags = Object.entries(mode.flags).flatMap(([key, row]) => describeFlag(key, row, environment));
  const argument =
    positional === undefined ? "" : positional.required ? ` ${positional.hint}` : ` [${positional.hint}]`;
  const lines = [
    wrap(`${title(`rtchat ${mode.name}`)}: ${mode.summary}`, proseColumns(stream), 0),
    "",
    wrap(mode.description, proseColumns(stream), 0),
    "",
    `${title("Usage:")} rtchat ${mode.name}${argument}${flags.length > 0 ? " [flags]" : ""}`,
  ];
  if (positional !== undefined) {
    const { summary, choices: words } = positional;
    const choices = words.length === 0 ? summary : `${summary}: ${words.join(", ")}`;
    lines.push("", title("Argument:"), twoColumns([[positional.hint, choices]], stream));
  }
  lines.push("", title("Flags:"), twoColumns([...flags, ...commonFlags.slice(0, 1)], stream));
  lines.push("", title("Examples:"));
  for (const { command, does } of mode.examples)
    lines.push(`  ${paint(stream, "dim", `# ${does}`)}`, `  ${command}`);
  const [first] = Object.keys(mode.flags);
  if (first !== undefined) {
    lines.push(
      "",
      wrap(
        `Every flag is also a variable (--${flagName(first)} is ${variableName(first)}) and a line of rtchat.toml; flags beat ` +
          `variables, variables beat the file. rtchat config ${mode.name} shows what counts, and where the file is.`,
        proseColumns(stream),
        0,
      ),
    );
  }
  return `${lines.join("\n")}\n`;
}
