/**
 * How long a server has to run under load until its costs are what they will be: CPU a delivery, second by second from a
 * fresh start. It is how the bench's warm-up was chosen (NOTES.md).
 *
 *   bun scripts/benchmarks/warm-up.ts [S1|S2|S3] [seconds]
 */
import { join } from "node:path";
import { Load } from "./chat.ts";
import { abandon } from "./process.ts";
import { scenarios } from "./scenarios.ts";
import { needs, start } from "./targets.ts";

const [name = "S2", seconds = "15"] = process.argv.slice(2);
const scenario = scenarios.find((one) => one.name === name);
if (scenario === undefined || !/^\d+$/.test(seconds)) {
  process.stderr.write(`no scenario "${name}" or not a number of seconds: "${seconds}"\n`);
  process.exit(2);
}
process.on("exit", abandon);
process.on("SIGINT", () => process.exit(130));

const binary = process.env["RTCHAT_BIN"] ?? join(import.meta.dir, "../../dist/rtchat");
for (const { target: entrant, load: plan } of scenario.entrants) {
  if (needs[entrant].some((program) => Bun.which(program) === null)) continue;
  const target = await start(entrant, binary);
  const load = new Load({ ...plan, dialect: target.dialect, port: target.port });
  await load.ready();
  const each: string[] = [];
  for (let second = 0; second < Number(seconds); second += 1) {
    const pids = target.programs.map((program) => program.pid);
    const { result, cpu } = await load.run({ warmMs: 0, runMs: 1_000 }, pids);
    each.push(((cpu * 1_000) / Math.max(1, result.deliveries)).toFixed(1));
  }
  process.stdout.write(`${name} ${entrant.padEnd(8)} µs a delivery, second by second: ${each.join(" ")}\n`);
  await load.stop();
  await target.stop();
}
