/**
 * What a server announces to a new keeper, in the moment in which keeper and sessions move at once: a session that was on
 * the dead server is being claimed by another one, and the new keeper still knows it as the dead one's.
 */
import { describe, expect, test } from "bun:test";
import { OwnSessions } from "../../src/backplane/keeper/own-sessions.ts";
import { MemoryLogs } from "../../src/backplane/memory-logs.ts";
import { ClusterState } from "../../src/backplane/state.ts";
import type { Announcer } from "../../src/backplane/cluster.ts";

interface Server {
  readonly id: string;
}

const dead: Server = { id: "dead" };
const heir: Server = { id: "heir" };

function cluster(): { state: ClusterState<Server>; said: string[] } {
  const said: string[] = [];
  const announcer: Announcer<Server> = {
    entry() {},
    presence: (room, event) => said.push(`${event.kind} ${event.member.nick} ${room.name}`),
    record() {},
    taken: (server, session) => said.push(`taken ${session} from ${server.id}`),
    told() {},
  };
  const options = { epoch: "e", now: () => 0, monotonic: () => 0 };
  return { state: new ClusterState<Server>(new MemoryLogs(100, 100), announcer, options), said };
}

describe("a session that is claimed while the keeper changes", () => {
  test("is not taken from the server that is about to have it", () => {
    const { state, said } = cluster();
    state.restore({ session: "s", nick: "ana", owner: dead.id, fence: 1, rooms: ["lobby"] });
    const own = new OwnSessions();
    own.claiming("s");
    state.announce(heir, own.announce());
    expect(said).toEqual([]);
    expect(state.claim(heir, "s", "ana", 2)).toEqual({ ok: true, rooms: ["lobby"] });
    own.claimed("s", "ana", 2, { rooms: ["lobby"] });
    expect(own.announce()).toEqual([
      { session: "s", fence: 2, nick: "ana", rooms: ["lobby"], pending: false },
    ]);
    expect(said).toEqual([]);
  });

  test("is announced to the keeper after that, so that it leaves no room", () => {
    const own = new OwnSessions();
    own.claiming("s");
    own.taken("s");
    own.claimed("s", "ana", 2, { rooms: ["lobby"] });
    const { state, said } = cluster();
    state.restore({ session: "s", nick: "ana", owner: heir.id, fence: 1, rooms: ["lobby"] });
    state.announce(heir, own.announce());
    expect(said).toEqual([]);
  });

  test("is known to be gone when it was held here and another server has it now", () => {
    const own = new OwnSessions();
    own.claiming("s");
    own.claimed("s", "ana", 2, { rooms: ["lobby"] });
    const { state, said } = cluster();
    state.restore({ session: "s", nick: "ana", owner: "another", fence: 1, rooms: ["lobby"] });
    state.announce(heir, own.announce());
    expect(said).toEqual(["taken s from heir"]);
    own.taken("s");
    expect(own.announce()).toEqual([]);
  });
});
