/**
 * Whether Redis still has, after it was killed, what it has acknowledged.
 *
 * rtchat acknowledges what Redis acknowledges, so its promise is as good as Redis's set-up. Without an append-only file a
 * restart loses everything. With `appendfsync everysec`, the default, a power cut takes about a second, and a killed
 * process can take two: while a sync is under way Redis answers before it writes to the file at all. Neither goes
 * unnoticed (a new epoch begins), but it is the operator who chooses, and so should know.
 */
import type { Logger } from "../../protocol/logger.ts";
import type { RedisStore } from "./client.ts";

/** Says in the log what is to be set in Redis, if anything. Never rejects: many a hosted Redis does not tell. */
export async function warnOfLoss(store: RedisStore, key: string, log: Logger): Promise<void> {
  const setting = async (name: string): Promise<unknown> => {
    // Name and value: an object or a list, as the version of the wire protocol has it.
    const reply: unknown = await store.command(key, "CONFIG", "GET", name);
    return typeof reply === "object" && reply !== null ? Object.values(reply).at(-1) : undefined;
  };
  const warn = (has: string, needs: string): void =>
    log.warn("Redis can lose messages that it has acknowledged", { has, needs });
  try {
    if ((await setting("appendonly")) === "no") return warn("appendonly no", "appendonly yes");
    const sync = await setting("appendfsync");
    if (sync === "everysec" || sync === "no") warn(`appendfsync ${sync}`, "appendfsync always");
  } catch {
    // It may well be set up as it should be.
  }
}
