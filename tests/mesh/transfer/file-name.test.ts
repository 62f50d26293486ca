import { expect, test } from "bun:test";
import fc from "fast-check";
import { numberedName, safeFileName } from "../../../src/mesh/transfer/file-name.ts";
import { transferLimits } from "../../../src/protocol/limits.peer.ts";

test.each([
  ["report.pdf", "report.pdf"],
  ["Ünïcödé 名前 😀.txt", "Ünïcödé 名前 😀.txt"],
  ["../../etc/passwd", "_.._etc_passwd"],
  ["/etc/passwd", "_etc_passwd"],
  ["C:\\Windows\\system32", "C__Windows_system32"],
  [".bashrc", "bashrc"],
  ["...", "file"],
  ["", "file"],
  ["-rf", "rf"],
  ["a\u001b[31mred\u0007.txt", "a_[31mred_.txt"],
  ["photo\u202egpj.exe", "photogpj.exe"],
  ["con", "_con"],
  ["NUL.txt", "_NUL.txt"],
  ["com1.tar.gz", "_com1.tar.gz"],
  ["trailing. . ", "trailing"],
  ["two\nlines\r\n.txt", "two lines .txt"],
])("%j is stored as %j", (offered, stored) => {
  expect(safeFileName(offered)).toBe(stored);
});

test("a long name keeps its extension", () => {
  const name = safeFileName(`${"é".repeat(400)}.pdf`);
  expect(name).toEndWith("é.pdf");
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(transferLimits.nameBytes);
});

test("any name becomes one visible component, and a safe one stays as it is", () => {
  const names = fc.oneof(
    fc.string({ unit: "binary", maxLength: 120 }),
    fc
      .array(fc.constantFrom("..", "/", "\\", ".", "-", " ", "\u0000", "\u202e", "con", "a"), {
        maxLength: 12,
      })
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(names, (offered) => {
      const name = safeFileName(offered);
      expect(name).not.toBe("");
      expect(name).not.toMatch(
        /[/\\:*?"<>|\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/,
      );
      expect(name).not.toMatch(/^[.\-\s]|[.\s]$|^\.+$/);
      expect(name.isWellFormed()).toBe(true);
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(transferLimits.nameBytes);
      expect(safeFileName(name)).toBe(name);
    }),
    { numRuns: 200 },
  );
});

test("numbers go before the extension", () => {
  expect(numberedName("report.pdf", 2)).toBe("report (2).pdf");
  expect(numberedName("README", 3)).toBe("README (3)");
});
