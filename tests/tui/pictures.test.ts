/** The pictures of the README are what the program shows today: the same conversations, played again. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { playClient, playPeers } from "../../scripts/pictures/stage.ts";
import type { Stagehands } from "../../scripts/pictures/stage.ts";
import { dark, toSvg } from "../../scripts/pictures/svg.ts";
import type { Shot } from "../../scripts/pictures/svg.ts";
import { openLab } from "../support/lab.ts";

const lab = openLab();
const folder = join(import.meta.dir, "../../src/tui/screenshots");

const hands: Stagehands = {
  serve: async (...args) => (await lab.start(...args)).ready(),
  terminal: async (name, size, ...args) => {
    const home = join(await lab.folder(), name);
    const env = { HOME: home, XDG_DATA_HOME: home, XDG_STATE_HOME: home, TZ: "UTC", LC_ALL: "C.UTF-8" };
    return lab.terminalWith({ env }, size, ...args);
  },
};

/** A picture's words, without what is another one each time: hours, days, keys, and the words that compare keys. */
function words(svg: string): string {
  const text = /<desc id="desc">([^]*?)<\/desc>/.exec(svg)?.[1] ?? "";
  return text
    .replaceAll(/^(.*)\d\d:\d\d /gm, "$1HH:MM ")
    .replaceAll(/─+ [^─]*\d{4} ─+/g, "DAY")
    .replaceAll(/rt1[0-9a-z-]+/g, "ID")
    .replaceAll(/^ {8}[a-z]+(?: [a-z]+){5}$/gm, "SIX WORDS");
}

const committed = (name: string) => words(readFileSync(join(folder, `${name}.svg`), "utf8"));
const played = (shot: Shot) => words(toSvg(shot, dark));

describe("the pictures of the README show what the program shows; if not, run scripts/screenshots:", () => {
  test("the client, wide and narrow", async () => {
    const [wide, narrow] = await playClient(hands);
    expect(played(wide)).toBe(committed("client-dark"));
    expect(played(narrow)).toBe(committed("client-light"));
  });

  test("two peers", async () => {
    expect(played(await playPeers(hands))).toBe(committed("peer-dark"));
  });
});

describe("a picture", () => {
  const cell = (text: string, width = 1) => {
    const plain = { bold: false, dim: false, italic: false, underline: false, inverse: false };
    return { text, width, colour: undefined, ...plain };
  };

  test("holds other people's words as text and keeps them in their columns", () => {
    const row = [..."<b>&  x"].map((text) => cell(text)).concat(cell("日", 2), cell("y"));
    const svg = toSvg({ title: "t", cells: [row], cursor: [0, 0], text: "<b>&  x日y" }, dark);
    expect(svg).toContain("&lt;b&gt;&amp;</text>");
    expect(svg).not.toContain("<b>");
    const columns = [...svg.matchAll(/<text x="([\d.]+)"[^>]*>([^<]*)<\/text>/g)].map(([, x, text]) => [
      Math.round((Number(x) - 14) / 8.4),
      text,
    ]);
    expect(columns.slice(1)).toEqual([
      [0, "&lt;b&gt;&amp;"],
      [6, "x"],
      [7, "日"],
      [9, "y"],
    ]);
  });
});
