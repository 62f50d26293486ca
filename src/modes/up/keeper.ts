/**
 * Which of the servers keeps the log. It is stopped last, because when it goes first the others elect another, for
 * nothing: each election is some ten milliseconds in which nobody's message is taken, and on a busy machine more.
 */
import { join } from "node:path";

/** The process ID of the keeper of a data folder; undefined when nobody keeps it, or that cannot be told now. */
export async function keeperOf(data: string): Promise<number | undefined> {
  // SQLite is needed nowhere else here, and only at the end.
  const { LogReader } = await import("../../backplane/keeper/reader.ts");
  const { logFile } = await import("../../backplane/keeper/keeper.ts");
  const reader = new LogReader(join(data, logFile));
  try {
    return reader.holder()?.pid;
  } catch {
    // Only the order depends on it.
    return undefined;
  } finally {
    reader.close();
  }
}
