/** One readable log from many children: each line with the name of the child that wrote it. */
import { paint, type Stream, type Style } from "../../cli/output.ts";
import type { LogFormat } from "../../cli/log.ts";
import { superviseLimits } from "../../protocol/limits.ts";
import { jsonLine } from "../../protocol/sanitize.ts";

/** Colours by order of start, so that neighbours differ. */
const colours: readonly Style[] = ["cyan", "magenta", "green", "blue", "yellow"];

/**
 * Calls `line` for each line of a stream, without its end, and for an unfinished one when the stream ends. What is over
 * the limit of a line is dropped. Reading waits for `line`, so a log that cannot be written fills no memory here.
 */
export async function eachLogLine(
  stream: AsyncIterable<Uint8Array>,
  line: (text: string) => void | Promise<void>,
  limit: number = superviseLimits.logLineBytes,
): Promise<void> {
  const decoder = new TextDecoder();
  let held = "";
  for await (const chunk of stream) {
    const parts = decoder.decode(chunk, { stream: true }).split("\n");
    for (const [index, part] of parts.entries()) {
      held = (held + part).slice(0, limit);
      if (index === parts.length - 1) break;
      await line(held.replace(/\r$/, ""));
      held = "";
    }
  }
  if (held !== "") await line(held);
}

/** Puts the child's name before a line, or, where lines are JSON, into it. */
export type LabelLine = (text: string) => string;

/**
 * The labels of one child.
 * @param width of the longest name, so that the texts stand under each other
 * @param order of the child, for its colour
 */
export function labelLines(
  name: string,
  width: number,
  order: number,
  format: LogFormat,
  stream: Stream,
): LabelLine {
  if (format === "json") return (text) => labelJson(name, text);
  const label = paint(stream, colours[order % colours.length] ?? "cyan", `${name.padEnd(width)} |`);
  return (text) => `${label} ${text}`;
}

/** A JSON line gets a field `process`; anything else, such as a crash's stack, becomes the message of a line. */
function labelJson(name: string, text: string): string {
  if (text.startsWith("{")) {
    try {
      return jsonLine({ ...(JSON.parse(text) as object), process: name });
    } catch {
      // Not JSON after all: it is wrapped below.
    }
  }
  const time = new Date().toISOString();
  return jsonLine({ time, level: "info", message: Bun.stripANSI(text), process: name });
}
