// What was written for a mesh whose log is not here waits for that mesh, in another run too, and for no other.
import { afterEach, expect, test } from "bun:test";
import { PeerHome } from "../../src/mesh/node/home.ts";
import { parseInvite } from "../../src/mesh/pairing/invite.ts";
import { startPeer } from "./peers.ts";
import { Cleanup, until } from "./support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

test("what waited for one mesh is not said in another", async () => {
  const directory = cleanup.directory();
  const id = new Uint8Array(32).fill(7);
  const drafts = [{ kind: "chat", room: "lobby", text: "not for cleo" }] as const;
  const before = new PeerHome(directory);
  before.enter({ id, secret: new Uint8Array(32) }, 1);
  before.keepUnsent(id, drafts);
  before.close();
  const cleo = await startPeer(cleanup, { nick: "cleo" });
  const ben = await startPeer(cleanup, { nick: "ben", directory, invite: parseInvite(cleo.node.invite()) });
  await until(() => ben.linked.length === 1, "ben is with cleo");
  ben.say("hello cleo");
  await until(() => cleo.transcript().length > 0, "cleo reads ben");
  expect(cleo.transcript()).toEqual(["ben: hello cleo"]);
  await ben.stop();
  const after = new PeerHome(directory);
  expect(after.unsent(id)).toEqual(drafts);
  after.close();
});

test("what was written for who invited, before they could be reached, is said when they can, in another run too", async () => {
  const ana = await startPeer(cleanup, { nick: "ana" });
  const directory = cleanup.directory();
  const first = await startPeer(cleanup, { nick: "ben", directory, connect: [ana] });
  await until(() => first.linked.length === 1 && first.node.core.members().length === 2, "ben is with ana");
  await first.stop();
  const cleoAt = cleanup.directory();
  const cleo = await startPeer(cleanup, { nick: "cleo", directory: cleoAt });
  const invite = parseInvite(cleo.node.invite());
  const { port } = cleo.address;
  await cleo.stop();
  const second = await startPeer(cleanup, { nick: "ben", directory, invite });
  second.say("hello cleo");
  await second.stop();
  const back = await startPeer(cleanup, { nick: "cleo", directory: cleoAt, port });
  await startPeer(cleanup, { nick: "ben", directory, invite });
  await until(() => back.transcript().length > 0, "cleo reads it");
  expect(back.transcript()).toEqual(["ben: hello cleo"]);
  expect(ana.transcript()).toEqual([]);
});
