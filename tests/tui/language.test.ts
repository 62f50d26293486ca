/** What a server refuses, in the person's language. */
import { expect, test } from "bun:test";
import { errorKinds } from "../../src/protocol/errors.ts";
import { failureIn, reasonIn, wordsFor } from "../../src/tui/language/words.ts";

const spanish = wordsFor("es_MX.UTF-8");
const english = wordsFor("en");

test("every error code has a Spanish text, with the value and without; only what names a field is told as it came", () => {
  const local = ["queue-full", "closed", "disconnected", "timeout", "fate-unknown"];
  for (const code of [...Object.keys(errorKinds), ...local]) {
    if (code === "bad-message") continue;
    for (const value of [undefined, "VALUE"]) {
      const text = failureIn(spanish, { code, message: "as it came", value });
      expect(text, code).not.toBe("as it came");
      expect(text, code).not.toMatch(/undefined|\.$|  /);
    }
  }
  const field = { code: "bad-message", message: 'send: field "room": too long' };
  expect(failureIn(spanish, field)).toBe(field.message);
});

test("values stand in the text, unknown codes and English are told in the server's words", () => {
  const gone = { code: "no-such-nick", message: "nobody called bob is connected", value: "bob" };
  expect(failureIn(spanish, gone)).toBe("nadie llamado bob está conectado; /names muestra quién está");
  expect(failureIn(english, gone)).toBe("nobody called bob is connected; /names shows who is here");
  expect(failureIn(spanish, { code: "toString", message: "of a newer server" })).toBe("of a newer server");
  expect(reasonIn(spanish, { code: "replaced", reason: "x" })).toBe(
    "la sesión sigue en una conexión más nueva; usa esa",
  );
});

test("a nick that is taken is said to be so once, and what to do once", () => {
  const taken = { code: "nick-taken", message: 'the nick "ana" is taken; choose another', value: "ana" };
  expect(english.nickRefused(failureIn(english, taken))).toBe(
    "the nick ana is taken, or looks like one that is; choose another with /nick NAME",
  );
  expect(spanish.nickRefused(failureIn(spanish, taken))).toBe(
    "el nombre ana ya es de alguien, o se confunde con el de alguien; elige otro con /nick NOMBRE",
  );
});
