/** History that cannot be read: who asks is refused, and the operator reads why. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { History } from "../../src/backplane/keeper/history.ts";
import { LogReader } from "../../src/backplane/keeper/reader.ts";
import { openForWriting } from "../../src/backplane/keeper/schema.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("a part of the file that cannot be read is said in the log, now and then, and in the answer", () => {
  const folder = mkdtempSync(join(tmpdir(), "rtchat-history-"));
  const file = join(folder, "log.sqlite");
  const db = openForWriting(file, { cluster: "c", epoch: "e", seed: 1 });
  db.run("INSERT INTO rooms (id, name) VALUES (1, 'lobby')");
  // As a damaged page would: what is in one table is gone, the rest is as it was.
  db.run("DROP TABLE entries");
  const said: string[] = [];
  const log = {
    ...silentLogger,
    error: (message: string, fields?: object) => said.push(`${message} ${JSON.stringify(fields)}`),
  };
  const clock = new ManualClock();
  const reader = new LogReader(file);
  const history = new History(reader, file, log, clock);
  const query = { room: "lobby", limit: 10, maxBytes: 1_000 };
  const refused = { ok: false, code: "unavailable" };
  for (let attempt = 0; attempt < 10; attempt += 1) expect(history.page(query)).toMatchObject(refused);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^the log cannot be read .*log\.sqlite failed/);
  clock.advance(3_600_000);
  expect(history.page(query)).toMatchObject(refused);
  expect(said).toHaveLength(2);
  reader.close();
  db.close();
  rmSync(folder, { recursive: true });
});
