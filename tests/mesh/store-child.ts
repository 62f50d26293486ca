/**
 * Appends three entries at a time to the store named by its argument, in turns synced, ahead of the disk and without
 * syncing, saying so after each, until it is killed.
 */
import { hash } from "node:crypto";
import { writeSync } from "node:fs";
import { SqliteStore } from "../../src/mesh/store/sqlite.ts";

const durabilities = ["synced", "ahead", "lax"] as const;
const store = new SqliteStore(process.argv[2] ?? "");
for (let i = 0; i < 100_000; i += 3) {
  store.append(
    [i, i + 1, i + 2].map((n) => {
      const bytes = Buffer.from(`entry ${n}`);
      return { hash: hash("sha256", bytes, "hex"), bytes, receivedAt: n };
    }),
    durabilities[(i / 3) % durabilities.length],
  );
  if (i % 5 === 0) store.syncSoon();
  if (i % 30 === 0) store.flush();
  writeSync(1, `${i}\n`);
}
