/**
 * What the parts between a socket and a hub cost by themselves, in ns: frames out and in, lines, windows.
 *
 *   bun scripts/benchmarks/micro/codec.ts
 *
 * Each figure is the best of several rounds, because everything that disturbs a loop makes it slower.
 */
import { LineWindow } from "../../../src/edge/line-window.ts";
import { decodeToEdge, EdgePortEncoder } from "../../../src/edge/trunk-wire.ts";
import type { EdgePort } from "../../../src/edge/trunk.ts";
import { FrameDecoder, FrameWriter } from "../../../src/protocol/frames.ts";
import { edgeLimits } from "../../../src/protocol/limits.ts";
import { LineSplitter } from "../../../src/protocol/lines.ts";

const ROUNDS = 12;
const COUNT = 100_000;
const message = Buffer.from(
  `{"type":"message","room":"lobby","seq":1,"from":"ana","text":"${"x".repeat(64)}"}\n`,
);
let sink = 0;

function measure(name: string, each: number, run: () => void): void {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = Bun.nanoseconds();
    run();
    best = Math.min(best, Bun.nanoseconds() - start);
  }
  process.stdout.write(`${name.padEnd(60)} ${(best / each).toFixed(1).padStart(8)} ns\n`);
}

const counting: EdgePort = {
  send: (_session, bytes, done) => void (sink += bytes.length + done),
  group: (_group, bytes, seq) => void (sink += bytes.length + seq),
  define: () => {},
  join: () => {},
  leave: () => {},
  drop: () => {},
  replay: () => {},
  token: () => {},
  close: () => {},
  drain: () => {},
};

const writer = new FrameWriter();
const encoder = new EdgePortEncoder(writer, () => {});
measure("a group frame of 150 bytes, written", COUNT, () => {
  for (let index = 0; index < COUNT; index += 1) {
    encoder.group(7, message, index, 3, 0);
    if (writer.length > 60_000) sink += writer.take().length;
  }
  writer.take();
});
measure("an empty send (an acknowledgement), written", COUNT, () => {
  for (let index = 0; index < COUNT; index += 1) {
    encoder.send(7, new Uint8Array(0), index);
    if (writer.length > 60_000) sink += writer.take().length;
  }
  writer.take();
});

for (let index = 0; index < COUNT; index += 1) encoder.group(7, message, index, 3, 0);
const stream = writer.take().slice();
for (const size of [65_536, 524_288, 700]) {
  measure(`a group frame read, in chunks of ${size} bytes`, COUNT, () => {
    const decoder = new FrameDecoder();
    for (let at = 0; at < stream.length; at += size) {
      decoder.push(stream.subarray(at, at + size), (reader) => decodeToEdge(reader, counting, () => {}));
    }
  });
}

const line = Buffer.from(`{"type":"send","room":"lobby","id":"1","text":"${"x".repeat(64)}"}\n`);
measure("a line split off, one a chunk", COUNT, () => {
  const splitter = new LineSplitter();
  for (let index = 0; index < COUNT; index += 1) {
    const lines = splitter.push(line);
    sink += lines === undefined ? 0 : lines.length;
  }
});
measure("a line split off, cut in two", COUNT, () => {
  const splitter = new LineSplitter();
  const [head, tail] = [line.subarray(0, 50), line.subarray(50)];
  for (let index = 0; index < COUNT; index += 1) {
    splitter.push(head);
    splitter.push(tail);
  }
});
measure("a line through its window: added, given, finished", COUNT, () => {
  const window = new LineWindow(edgeLimits);
  for (let index = 1; index <= COUNT; index += 1) {
    window.add(line);
    sink += window.take()?.length ?? 0;
    window.finish(index);
  }
});
if (sink === 0) throw new Error("nothing was measured");
