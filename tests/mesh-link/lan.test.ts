// LAN discovery between network namespaces: members find each other after both moved, strangers are only told of, and
// what is broadcast reveals nobody.
import { expect, test } from "bun:test";
import { join } from "node:path";
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
