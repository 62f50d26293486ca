/**
 * A name from somebody else as a name for our disk: one component, visible, plain, and the same on every system.
 *
 * What comes out never holds a separator, a control or bidirectional character, never starts with a dot or a dash
 * (hidden files, and options of commands), never ends with a dot or space, is no device of Windows, and leaves room for
 * a number and `.part` in the 255 bytes that file systems allow. It keeps the extension, which people go by.
 */
import { transferLimits } from "../../protocol/limits.peer.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";

/** Separators, what Windows refuses, and the pictures that sanitising puts in place of control characters. */
const unwanted = /[/\\:*?"<>|\u2400-\u2421\ufffd]/g;
/** Marks that change the direction of what a person reads. */
const directional = /[\u200c-\u200f]/g;
/** Names that mean devices on Windows, whatever their extension (Microsoft, "Naming Files, Paths, and Namespaces"). */
const device = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i;
const longestExtension = 20;

/** The name to show and to store under. Never empty. */
export function safeFileName(offered: string): string {
  const plain = sanitizeLine(offered.normalize("NFC"))
    .replaceAll(directional, "")
    .replaceAll(unwanted, "_")
    .trim()
    .replace(/^[.\-\s]+/, "")
    .replace(/[.\s]+$/, "");
  const named = /[^_]/.test(plain) ? plain : "file";
  return shortened(device.test(named) ? `_${named}` : named);
}

/** `report.pdf` as `report (2).pdf`. */
export function numberedName(name: string, number: number): string {
  const { stem, extension } = split(name);
  return `${stem} (${number})${extension}`;
}

function split(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  if (dot <= 0 || name.length - dot > longestExtension) return { stem: name, extension: "" };
  return { stem: name.slice(0, dot), extension: name.slice(dot) };
}

function shortened(name: string): string {
  if (Buffer.byteLength(name) <= transferLimits.nameBytes) return name;
  const { stem, extension } = split(name);
  let kept = "";
  let bytes = Buffer.byteLength(extension);
  for (const character of stem) {
    bytes += Buffer.byteLength(character);
    if (bytes > transferLimits.nameBytes) break;
    kept += character;
  }
  return `${kept.replace(/[.\s]+$/, "")}${extension}`;
}
