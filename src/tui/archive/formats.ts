/**
 * A room's log as a file: JSON lines for programs, Markdown for notes, a page for a browser. What people wrote is text
 * in each of them and never markup.
 */
import { sanitizeLine, sanitizeText } from "../../protocol/sanitize.ts";
import type { Message } from "../../protocol/messages.ts";
import { nickColour } from "../colours.ts";
import { jsonLine } from "../../protocol/sanitize.ts";

/** How a log is written. Every part ends with a newline. */
export interface ArchiveFormat {
  head(room: string): string;
  message(message: Message): string;
  foot(): string;
}

const iso = (at: number) => new Date(at).toISOString();

const jsonl: ArchiveFormat = {
  head: () => "",
  message: (message) => `${jsonLine(message)}\n`,
  foot: () => "",
};

/** What Markdown would take for markup, taken for what it is. */
function markdownText(text: string): string {
  return sanitizeText(text)
    .replaceAll(/[\\`*_{}[\]<>()#+\-.!|~&]/g, (mark) => `\\${mark}`)
    .replaceAll("\n", "  \n  ");
}

const md: ArchiveFormat = {
  head: (room) => `# ${markdownText(room)}\n\n`,
  message: ({ at, from, text }) => `- \`${iso(at)}\` **${markdownText(from)}**: ${markdownText(text)}\n`,
  foot: () => "",
};

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function htmlText(text: string): string {
  return sanitizeText(text).replaceAll(/[&<>"']/g, (mark) => entities[mark] ?? mark);
}

const html: ArchiveFormat = {
  head: (room) => `<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${htmlText(sanitizeLine(room))}</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  p { margin: .15rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
  time { opacity: .55; font-size: .85em; margin-inline-end: .6em; }
  b { margin-inline-end: .4em; }
</style>
</head>
<body>
<h1>${htmlText(sanitizeLine(room))}</h1>
`,
  message: ({ seq, at, from, text }) => {
    const hue = (nickColour(from) * 47) % 360;
    const nick = `<b style="color:hsl(${hue} 60% 45%)">${htmlText(sanitizeLine(from))}</b>`;
    return `<p id="m${seq}"><time datetime="${iso(at)}">${iso(at)}</time>${nick}<span dir="auto">${htmlText(text)}</span></p>\n`;
  },
  foot: () => "</body>\n</html>\n",
};

/** By the names that a person may write. */
export const archiveFormats = { jsonl, md, html } as const;
