/** The first question of the first run: what others shall call one. */
import { createInterface } from "node:readline/promises";
import { parseNick } from "../../protocol/names.ts";
import type { Words } from "../../tui/language/words.ts";

/**
 * Asks on the terminal until the answer can be a nick.
 * @param proposed what an empty answer means
 * @returns undefined when the person gave up (Ctrl-C, Ctrl-D)
 */
export async function askNick(words: Words, proposed: string): Promise<string | undefined> {
  const { stdin: input, stdout: output } = process;
  const readline = createInterface({ input, output, terminal: true });
  const gone = new Promise<undefined>((resolve) => {
    readline.once("close", () => resolve(undefined));
    readline.once("SIGINT", () => resolve(undefined));
  });
  output.write(`${words.screen.nickQuestion}\n(${words.screen.nickHint})\n`);
  try {
    for (;;) {
      const answer = await Promise.race([readline.question(`[${proposed}] `), gone]);
      if (answer === undefined) return undefined;
      try {
        return parseNick(answer.trim() === "" ? proposed : answer.trim());
      } catch (error) {
        output.write(`${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  } finally {
    readline.close();
  }
}
