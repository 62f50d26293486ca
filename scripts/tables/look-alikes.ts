/**
 * Makes the table of look-alikes: of what confusables.txt maps, the characters that a name's key can hold, by what they are
 * mapped to. Everything else cannot be in a name, or is another character by then.
 */
import { join } from "node:path";
import { nameKey } from "../../src/protocol/names.ts";

/** Code points of a line of hex. */
const points = (hex: string): number[] => hex.split(" ").map((one) => Number.parseInt(one, 16));
const hex = (point: number): string => point.toString(16);
/** Characters a row of the table has at most. */
const ROW = 100;

const [file = ""] = process.argv.slice(2);
const text = await Bun.file(file).text();
const version = /^# Version: (\S+)$/m.exec(text)?.[1];
if (version === undefined) throw new Error(`${file} is no confusables.txt: it has no line "# Version:"`);

const sources = new Map<string, number[]>();
let count = 0;
for (const [, from = "", to = ""] of text.matchAll(/^([0-9A-F]+) ;\s*([0-9A-F ]+?)\s*;\s*MA/gm)) {
  const [point = 0] = points(from);
  const character = String.fromCodePoint(point);
  // No ASCII letter looks like two others on a terminal, where all are equally wide; digits do look like letters.
  if (character === "m") continue;
  const isInKeys =
    /^[\p{L}\p{M}\p{N}_-]$/u.test(character) &&
    nameKey(character) === character &&
    character.normalize("NFD") === character;
  if (!isInKeys) continue;
  const target = points(to.replaceAll("0072 006E", "006D")).map(hex).join(" ");
  const known = sources.get(target);
  if (known === undefined) sources.set(target, [point]);
  else known.push(point);
  count += 1;
}

const groups = [...sources].map(([target, from]) => `${from.map(hex).join(" ")}>${target}`).sort();
const rows: string[] = [];
let row = "";
for (const word of groups.join(";").split(/(?<=[ ;>])/)) {
  if (row.length + word.length > ROW) {
    rows.push(row);
    row = "";
  }
  row += word;
}
rows.push(row);

const table = `/**
 * Characters that look like others, from confusables.txt of Unicode Technical Standard 39, version ${version}: those ${count} that a
 * name's key can hold. Made by scripts/look-alikes; groups of hex code points, \`sources>target\`.
 *
 * Data © 1991-2022 Unicode, Inc. All rights reserved. Distributed under the terms of use in
 * https://www.unicode.org/copyright.html. Permission is granted, free of charge, to any person obtaining a copy of the
 * Unicode data files to deal in them without restriction, including the rights to use, copy, modify, merge, publish,
 * distribute and sell copies, provided that this copyright and permission notice appears with all copies. The data files
 * are provided "as is", without warranty of any kind. Modified here: selected, and turned into this form.
 */
export const lookAlikeTable: string = [
${rows.map((one) => `  ${JSON.stringify(one)},`).join("\n")}
].join("");
`;
await Bun.write(join(import.meta.dir, "../../src/protocol/look-alike-table.ts"), table);
console.log(`${count} characters of Unicode ${version}, ${groups.length} groups`);
