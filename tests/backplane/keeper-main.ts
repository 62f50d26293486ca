/**
 * A server with nothing but a keeper backplane, for tests that kill and stop real processes.
 *
 *   bun keeper-main.ts DIRECTORY [quietly] [follow ROOM] [flood ROOM PREFIX WINDOW]
 *
 * Says one line on stdout for everything that happens: `elected TERM`, `stepped-down`, `entry ROOM SEQ TEXT`,
 * `ack TEXT SEQ`, `failed CODE`, `quiet` when a flood that was told `stop` on stdin has all its answers. Lines that start
 * with `log` are the log. `publish ROOM TEXT` on stdin publishes; `pause` asks for the longest time without an
 * acknowledgement since it was asked last, ms; with `quietly`, acknowledgements are not said.
 */
import { writeSync } from "node:fs";
import { KeeperBackplane } from "../../src/backplane/keeper/keeper.ts";
import type { Logger } from "../../src/protocol/logger.ts";
import { entriesOf } from "../support/deliveries.ts";

const [directory = "", ...words] = process.argv.slice(2);
const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};
const write = (level: string) => (message: string, fields?: object) => {
  say(`log ${level} ${message} ${JSON.stringify(fields ?? {})}`);
  if (message === "this server keeps the log") say(`elected ${JSON.stringify(fields)}`);
  if (message === "this server no longer keeps the log") say("stepped-down");
};
const log: Logger = {
  debug: write("debug"),
  info: write("info"),
  warn: write("warn"),
  error: write("error"),
};

const plane = new KeeperBackplane({ directory, log });
await plane.start({
  taken: (session) => say(`taken ${session}`),
  told: () => {},
  health: ({ state }) => say(`health ${state}`),
});

let stopping = false;
let quiet = false;
/** The longest time without an acknowledgement since it was asked for last. */
const pause = { longest: 0, last: performance.now() };

function publish(room: string, text: string, then: () => void): void {
  plane.publish({ room, key: text, body: new TextEncoder().encode(text) }, (result) => {
    const now = performance.now();
    pause.longest = Math.max(pause.longest, now - pause.last);
    pause.last = now;
    if (!quiet) say(result.ok ? `ack ${text} ${result.position.seq}` : `failed ${result.code} ${text}`);
    then();
  });
}

for (let next = words.shift(); next !== undefined; next = words.shift()) {
  if (next === "quietly") quiet = true;
  if (next === "follow") follow(words.shift() ?? "");
  if (next === "flood") flood(words.shift() ?? "", words.shift() ?? "", Number(words.shift()));
}

function follow(room: string): void {
  plane.subscribe(
    room,
    {
      appended: (told) => {
        for (const { seq, body } of entriesOf(told))
          say(`entry ${room} ${seq} ${new TextDecoder().decode(body)}`);
      },
      presence: () => {},
      record: () => {},
      reset: ({ position }) => say(`reset ${room} ${position.seq}`),
    },
    (result) =>
      say(result.ok ? `following ${room} ${result.snapshot.position.seq}` : `failed ${result.code}`),
  );
}

function flood(room: string, prefix: string, window: number): void {
  let number = 0;
  let underWay = 0;
  const one = (): void => {
    number += 1;
    underWay += 1;
    publish(room, `${prefix}-${number}`, () => {
      underWay -= 1;
      if (!stopping) one();
      else if (underWay === 0) say("quiet");
    });
  };
  for (let index = 0; index < window; index += 1) one();
}

writeSync(Number(process.env["RTCHAT_READY_FD"]), `${JSON.stringify({ pid: process.pid })}\n`);

for await (const line of console) {
  const [command, room = "", text = ""] = line.split(" ");
  if (command === "stop") stopping = true;
  if (command === "publish") publish(room, text, () => {});
  if (command === "pause") {
    say(`pause ${Math.max(pause.longest, performance.now() - pause.last)}`);
    pause.longest = 0;
    pause.last = performance.now();
  }
  if (command === "end") break;
}
await plane.stop(true);
process.exit(0);
