/** Our own stores, driven through the interface that the hub uses. */
import type { Backplane } from "../../../src/backplane/backplane.ts";
import { KeeperBackplane } from "../../../src/backplane/keeper/keeper.ts";
import { parseRedisAddress } from "../../../src/backplane/redis/address.ts";
import { RedisBackplane } from "../../../src/backplane/redis/redis.ts";
import { silentLogger } from "../../../src/protocol/logger.ts";
import type { Acknowledged, DrivePlan, Store } from "./driver.ts";

function backplaneOf({ store, folder, durability, port }: DrivePlan): Backplane {
  return store === "keeper"
    ? new KeeperBackplane({ directory: folder, log: silentLogger, durability })
    : new RedisBackplane({ address: parseRedisAddress(`redis://127.0.0.1:${port}`), log: silentLogger });
}

/** Follows a room as a hub does; resolves with its snapshot. */
function follow(backplane: Backplane, room: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const nothing = { entry() {}, appended() {}, presence() {}, record() {}, reset() {} };
    backplane.subscribe(room, nothing, (result) => {
      if (result.ok) resolve();
      else reject(new Error(result.message));
    });
  });
}

/** Connects; each publish has a key of its own, as each message of a person has. */
export async function openBackplane(plan: DrivePlan, to: Acknowledged): Promise<Store> {
  const backplane = backplaneOf(plan);
  await backplane.start({ taken() {}, told() {}, health() {} });
  const rooms = Array.from({ length: plan.rooms }, (_, number) => `room-${number}`);
  if (plan.follow) for (const room of rooms) await follow(backplane, room);
  const body = new Uint8Array(plan.bytes).fill(0x61);
  let number = 0;
  return {
    publish(count) {
      for (let left = count; left > 0; left -= 1) {
        number += 1;
        const room = rooms[number % rooms.length] ?? "";
        backplane.publish({ room, key: `${process.pid}:${number}`, body }, (result) => {
          if (result.ok) to.acknowledged(1);
          else to.failed(result.message);
        });
      }
    },
    close: () => backplane.stop(true),
  };
}
