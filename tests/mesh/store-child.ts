/** Appends three entries at a time, every other time without syncing, to the store named by its argument, saying so after each, until it is killed. */
import { hash } from "node:crypto";
import { writeSync } from "node:fs";
import { SqliteStore } from "../../src/mesh/store/sqlite.ts";

const store = new SqliteStore(process.argv[2] ?? "");
for (let i = 0; i < 100_000; i += 3) {
  store.append(
    [i, i + 1, i + 2].map((n) => {
      const bytes = Buffer.from(`entry ${n}`);
      return { hash: hash("sha256", bytes, "hex"), bytes, receivedAt: n };
    }),
    i % 2 === 0,
  );
  if (i % 30 === 0) store.flush();
  writeSync(1, `${i}\n`);
}
