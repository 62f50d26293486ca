/** S5's load: connects, says hello, hears the welcome and leaves, over and over. */
import { dialects, Kind } from "./dialect.ts";
import type { LoadPlan, LoadResult, LoadWord, RunTimes } from "./load.ts";

let visits = 0;

/** One visit; `true` when it was welcomed. */
async function visit(plan: LoadPlan): Promise<boolean> {
  const dialect = dialects[plan.dialect];
  // The nick differs each time: the one before may still be on its way out.
  visits += 1;
  const hello = dialect.hello(`v${process.pid}-${visits}`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let welcomed = false;
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: plan.port,
    socket: {
      open: (opened) => void opened.write(hello),
      data: (opened, chunk) => {
        // The answer to a hello is one line and comes whole; anything else is not the welcome.
        if (dialect.kind(chunk, 0, chunk.length) === Kind.Welcome) welcomed = true;
        opened.write(dialect.bye);
        opened.end();
      },
      close: () => resolve(welcomed),
      error: () => {},
    },
  });
  await promise;
  socket.terminate();
  return welcomed;
}

/** `plan.clients` visitors at a time. A delivery is one welcome; a visit without is lost. */
export async function churn(
  plan: LoadPlan,
  { warmMs, runMs }: RunTimes,
  say: (word: LoadWord) => void,
): Promise<LoadResult> {
  let greeted = 0;
  let refused = 0;
  let running = true;
  const visitors = Array.from({ length: plan.clients }, async () => {
    while (running) {
      if (await visit(plan)) greeted += 1;
      else refused += 1;
    }
  });
  await Bun.sleep(warmMs);
  say({ word: "measure" });
  const [before, cpu, began] = [greeted, process.cpuUsage(), performance.now()];
  await Bun.sleep(runMs);
  const seconds = (performance.now() - began) / 1_000;
  const [deliveries, used] = [greeted - before, process.cpuUsage(cpu)];
  say({ word: "measured" });
  running = false;
  await Promise.all(visitors);
  const cpuMs = (used.user + used.system) / 1_000;
  const none = { droppedSlow: 0, droppedFast: 0, p50: 0, p99: 0, p999: 0 };
  return { seconds, deliveries, cpuMs, lost: refused, ...none };
}
