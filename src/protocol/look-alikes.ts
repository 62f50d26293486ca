/**
 * Which names look alike: the skeleton of Unicode Technical Standard 39 (https://www.unicode.org/reports/tr39/), made of a
 * name's key, so that `аnа` with Cyrillic letters and `ana` have the same.
 *
 * It decides who may be here beside whom, and nothing else: names are compared, shown and stored by their own keys. So
 * nobody is refused a script or a mixture of scripts (`Саша-dev` is an honest name); refused is only a name that cannot be
 * told from one that somebody present has.
 *
 * Two things differ from the standard. `m` and `rn` do not look alike where all letters are equally wide, and names with
 * both are common. And what is left out by the standard because it is invisible is left out of marks here too.
 */
import { lookAlikeTable } from "./look-alike-table.ts";
import { nameKey } from "./names.ts";

const ASCII = /^[\u0000-\u007f]*$/;
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;
/** Mapping can bring letters that are composed and mapped again; nothing needs more rounds than two. */
const ROUNDS_MOST = 8;

/** Made when the first name needs it: most names are ASCII. */
let table: Map<string, string> | undefined;

function readTable(): Map<string, string> {
  const read = (hex: string) =>
    hex.split(" ").map((point) => String.fromCodePoint(Number.parseInt(point, 16)));
  const made = new Map<string, string>();
  for (const group of lookAlikeTable.split(";")) {
    const [sources = "", target = ""] = group.split(">");
    const to = read(target).join("");
    for (const source of read(sources)) made.set(source, to);
  }
  return made;
}

function mapped(key: string): string {
  table ??= readTable();
  let out = "";
  for (const point of key.normalize("NFD").replaceAll(INVISIBLE, "")) out += table.get(point) ?? point;
  return nameKey(out);
}

/** The key that names have in common which look alike. Total and idempotent; does not validate. */
export function likenessKey(name: string): string {
  let key = nameKey(name);
  if (ASCII.test(key)) return key.replaceAll("0", "o").replaceAll("1", "l");
  for (let round = 0; round < ROUNDS_MOST; round += 1) {
    const next = mapped(key);
    if (next === key) break;
    key = next;
  }
  return key;
}
