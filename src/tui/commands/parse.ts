/** From a typed line to what is meant by it. */

/** What a line means. */
export type Typed =
  | { readonly kind: "nothing" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "command"; readonly name: string; readonly rest: string };

/**
 * A line that begins with a slash and a letter is a command; `//…` is text with one slash; everything else is text, as
 * `/` alone, `/ 2` or a path like `/etc/hosts`, which nobody means as a command.
 */
export function parseTyped(line: string): Typed {
  if (line.trim() === "") return { kind: "nothing" };
  if (line.startsWith("//")) return { kind: "text", text: line.slice(1) };
  const match = /^\/([\p{L}?][\p{L}\d-]*)(?:\s+([\s\S]*))?$/u.exec(line);
  if (match === null) return { kind: "text", text: line };
  return { kind: "command", name: (match[1] ?? "").toLowerCase(), rest: (match[2] ?? "").trim() };
}
