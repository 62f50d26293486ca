/** The memory driver: the common promises, plainly and with delays, and the faults it injects for simulations. */
import { describe, expect, test } from "bun:test";
import { MemoryBackplane, MemoryStore } from "../../src/backplane/memory.ts";
import { systemClock, seededRandom } from "../../src/protocol/clock.ts";
import { backplaneConformance } from "../conformance/backplane.ts";
import { answer, bytes, good, Server } from "../conformance/backplane-support.ts";
import type { ClusterFactory } from "../conformance/backplane-support.ts";

function clusters(delayMs?: () => number): ClusterFactory {
  return (settings) => {
    const store = new MemoryStore({ clock: systemClock, ...settings });
    const planes: MemoryBackplane[] = [];
    return Promise.resolve({
      server() {
        const plane = new MemoryBackplane(store, delayMs === undefined ? {} : { delayMs });
        planes.push(plane);
        return plane;
      },
      vanish(plane) {
        if (plane instanceof MemoryBackplane) plane.vanish();
        return Promise.resolve();
      },
      changeEpoch() {
        store.changeEpoch();
        return Promise.resolve();
      },
      async close() {
        await Promise.all(planes.map((plane) => plane.stop(true)));
      },
    });
  };
}

backplaneConformance("memory", clusters());
const random = seededRandom(7);
backplaneConformance(
  "memory, delayed",
  clusters(() => Math.floor(random() * 4)),
);

describe("faults of the memory driver", () => {
  test("a refused publish is not done, an unanswered one is, and a repeat tells", async () => {
    const store = new MemoryStore();
    let fault: "refused" | "unanswered" | undefined;
    const server = await new Server(new MemoryBackplane(store, { fault: () => fault })).start();
    const publish = (key: string) =>
      answer((done) => server.plane.publish({ room: "lobby", key, body: bytes(key) }, done));
    fault = "refused";
    expect(await publish("a")).toMatchObject({ ok: false, code: "unavailable" });
    fault = "unanswered";
    expect(await publish("b")).toMatchObject({ ok: false, code: "unavailable" });
    fault = undefined;
    expect(await publish("b")).toMatchObject({ ok: true, duplicate: true, position: { seq: 1 } });
    expect(await publish("a")).toMatchObject({ ok: true, duplicate: false, position: { seq: 2 } });
    await server.plane.stop(true);
  });

  test("a repeat to a nick that is somebody else's by now reaches only its sender", async () => {
    const server = await new Server(new MemoryBackplane(new MemoryStore())).start();
    const publish = (copyRoom: string) => {
      const copy = { room: copyRoom, body: bytes("psst") };
      return answer((done) =>
        server.plane.publish({ room: "@ana", key: "ana/@bob/1", body: bytes("psst"), copy }, done),
      );
    };
    expect(await publish("@bob")).toMatchObject({ ok: true, duplicate: false });
    expect(await publish("@eve")).toMatchObject({ ok: true, duplicate: true, position: { seq: 1 } });
    const lengths = await Promise.all(
      ["@ana", "@bob", "@eve"].map(async (room) => (await server.page({ room })).last),
    );
    expect(lengths).toEqual([1, 1, 0]);
    await server.plane.stop(true);
  });

  test("the times of a log never go back, though the machine's clock does", async () => {
    let now = 1_000;
    const store = new MemoryStore({ clock: { ...systemClock, now: () => now } });
    const server = await new Server(new MemoryBackplane(store)).start();
    const times: number[] = [];
    for (const at of [1_000, 5_000, 2_000, 6_000]) {
      now = at;
      times.push((await server.publish("lobby", `${at}`)).at);
    }
    expect(times).toEqual([1_000, 5_000, 5_000, 6_000]);
    await server.plane.stop(true);
  });

  test("a failed subscription stays silent", async () => {
    const store = new MemoryStore();
    let fault: "unanswered" | undefined = "unanswered";
    const server = await new Server(new MemoryBackplane(store, { fault: () => fault })).start();
    await expect(server.follow("lobby")).rejects.toThrow("did not answer");
    fault = undefined;
    const follower = await server.follow("lobby");
    await good((done) => server.plane.publish({ room: "lobby", key: "k", body: bytes("k") }, done));
    expect(follower.texts).toEqual(["k"]);
    await server.plane.stop(true);
  });
});
