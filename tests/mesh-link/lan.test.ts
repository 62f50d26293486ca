// LAN discovery between network namespaces: members find each other after both moved, strangers are only told of, and
// what is broadcast reveals nobody.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { publicKeyOf, parsePeerId } from "../../src/identity/peer-id.ts";
import { beaconBytes } from "../../src/mesh/lan/beacon.ts";
import { lanLimits } from "../../src/protocol/limits.peer.ts";
import { rtchatBinary } from "../support/binary.ts";
import { eventually } from "../support/deadline.ts";
import { openLab, type Running } from "../support/lab.ts";
import { Cable, canMakeNetworks } from "./network.ts";

const lab = openLab();

async function start(cable: Cable, end: 0 | 1, name: string, ...args: readonly string[]): Promise<Running> {
  const command = [...cable.at(end), await rtchatBinary()];
  const folder = join(await lab.folder(), name);
  const running = await lab.startWith(
    { command },
    "peer",
    "--json",
    "--nick",
    name,
    "--data",
    folder,
    ...args,
  );
  return running;
}

/** Prints every datagram that is broadcast at one end, in hex. */
async function listen(cable: Cable, end: 0 | 1): Promise<Running> {
  const script = `
    const socket = require("node:dgram").createSocket({ type: "udp4", reuseAddr: true });
    socket.on("message", (bytes) => console.log(bytes.toString("hex")));
    socket.bind(${lanLimits.port}, "0.0.0.0", () => console.log("listening"));
  `;
  const running = await lab.startWith({ command: [...cable.at(end), process.execPath, "-e", script] });
  await running.line(/listening/);
  return running;
}

test.skipIf(!canMakeNetworks)(
  "members that both moved find each other by beacon; strangers only see that somebody is there",
  async () => {
    const cable = new Cable();
    lab.onClose(() => Promise.resolve(cable.remove()));
    const before = await start(cable, 0, "ana", "--listen", "5002");
    await before.ready();
    const ben = await start(cable, 1, "ben", "--listen", "5002", "--connect", `${cable.addresses[0]}:5002`);
    await ben.line(/"nick":"ana","state":"join"/);
    await before.line(/"nick":"ben","state":"join"/);
    await Promise.all([before.stop(), ben.stop()]);

    // Other addresses and other ports: nothing that is written down anywhere is right any more.
    cable.renumber(0, "10.77.0.11");
    cable.renumber(1, "10.77.0.12");
    const witness = await listen(cable, 1);
    const anaAgain = await start(cable, 0, "ana", "--listen", "6001", "--lan");
    const benAgain = await start(cable, 1, "ben", "--listen", "6002", "--lan");
    const eve = await start(cable, 1, "eve", "--listen", "6003", "--lan");
    const says = (peer: Running, ...parts: readonly string[]) =>
      eventually(
        () => parts.every((part) => peer.output.stdout.includes(part)),
        () => `${parts.join(" and ")} in\n${peer.output.stdout}`,
      );
    await says(anaAgain, '"type":"linked"', '"type":"nearby","address":"10.77.0.12:6003"');
    await says(benAgain, '"type":"linked"');
    await says(
      eve,
      '"type":"nearby","address":"10.77.0.11:6001"',
      '"type":"nearby","address":"10.77.0.12:6002"',
    );
    expect(eve.output.stdout).not.toContain('"type":"linked"');

    // What goes over the network has no key, whole or in any part that tells people apart, and does not repeat.
    const beacons = await Promise.all(Array.from({ length: 3 }, () => witness.line(/^7274/)));
    const ids = await Promise.all(
      [anaAgain, benAgain, eve].map(async (peer) => (await peer.ready())["id"] ?? ""),
    );
    for (const beacon of beacons) {
      expect(beacon).toHaveLength(2 * beaconBytes);
      for (const id of ids) {
        const key = Buffer.from(publicKeyOf(parsePeerId(id))).toString("hex");
        for (let at = 0; at < key.length - 8; at += 2) expect(beacon).not.toContain(key.slice(at, at + 8));
      }
    }
    expect(new Set(beacons.map((beacon) => beacon.slice(20))).size).toBe(beacons.length);
    for (const peer of [anaAgain, benAgain, eve]) expect((await peer.stop()).code).toBe(0);
  },
);

/** What a peer answers when asked for the whole room. */
const said = z.object({ messages: z.array(z.object({ from: z.string(), text: z.string() })) });

test.skipIf(!canMakeNetworks)(
  "five whose addresses and ports have all changed come together by beacons alone, with one transcript",
  async () => {
    const cable = new Cable();
    lab.onClose(() => Promise.resolve(cable.remove()));
    const names = ["kim", "leo", "mia", "noa", "oto"] as const;
    const [first, ...others] = names;
    const host = await start(cable, 0, first, "--listen", `${cable.addresses[0]}:5002`);
    await host.ready();
    const at = `${cable.addresses[0]}:5002`;
    const before = [host];
    for (const [index, name] of others.entries()) {
      const end = index % 2 === 0 ? 1 : 0;
      const port = `${cable.addresses[end]}:${6000 + index}`;
      before.push(await start(cable, end, name, "--listen", port, "--connect", at));
    }
    for (const [index, peer] of before.entries()) peer.write(`before, from ${names[index] ?? ""}\n`);
    const hasAll = (peers: readonly Running[], word: string) =>
      eventually(
        () =>
          peers.every(({ output }) => names.every((name) => output.stdout.includes(`${word}, from ${name}`))),
        () => peers.map(({ output }) => output.stdout + output.stderr).join("\n---\n"),
      );
    await hasAll(before, "before");
    await Promise.all(before.map((peer) => peer.stop()));

    cable.renumber(0, "10.77.0.21");
    cable.renumber(1, "10.77.0.22");
    const after: Running[] = [];
    for (const [index, name] of names.entries())
      after.push(
        await start(cable, index % 2 === 0 ? 0 : 1, name, "--listen", String(7000 + index), "--lan"),
      );
    for (const [index, peer] of after.entries()) peer.write(`after, from ${names[index] ?? ""}\n`);
    await hasAll(after, "after");
    const transcripts = await Promise.all(
      after.map(async (peer) => {
        peer.write('{"type":"history","room":"lobby","limit":200}\n');
        const { messages } = said.parse(JSON.parse(await peer.line(/^\{"type":"history"/)));
        return messages.map(({ from, text }) => `${from}: ${text}`);
      }),
    );
    expect(new Set(transcripts[0]).size).toBe(2 * names.length);
    for (const transcript of transcripts) expect(transcript).toEqual(transcripts[0] ?? []);
    await Promise.all(after.map((peer) => peer.stop()));
  },
);

test.skipIf(!canMakeNetworks)("without --lan nothing is broadcast", async () => {
  const cable = new Cable();
  lab.onClose(() => Promise.resolve(cable.remove()));
  const witness = await listen(cable, 1);
  const ana = await start(cable, 0, "gus", "--listen", "5002");
  const ben = await start(cable, 1, "ida", "--listen", "5002", "--connect", `${cable.addresses[0]}:5002`);
  await ben.line(/"nick":"gus","state":"join"/);
  await Promise.all([ana.stop(), ben.stop()]);
  expect(witness.output.stdout).toBe("listening\n");
});
