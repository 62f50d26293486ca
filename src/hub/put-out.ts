/**
 * Putting somebody out, at the server that has their session: whether a connection speaks for it now or is expected back.
 *
 * A ban names the address of the connection, which only this server knows; so it is this server that sets it.
 */
import type { Done } from "../backplane/backplane.ts";
import { parseNetwork, type Network, contains } from "../protocol/network.ts";
import { BANS, type BanRecord } from "./bans.ts";
import type { Core } from "./core.ts";
import { hostOf } from "./origin.ts";
import type { Session } from "./session.ts";

/** What is to become of somebody. */
export interface Out {
  readonly reason?: string;
  readonly ban?: {
    /** The operator's nick, and the host that is spared because it is theirs. */
    readonly by: string;
    readonly spared: string;
    readonly seconds?: number;
    readonly once: string;
  };
}

/** See the head of this file. */
export function putOut(core: Core, name: string, { reason, ban }: Out): void {
  const session = core.sessions.get(name);
  if (session === undefined) {
    core.settle(name, "release");
    return;
  }
  const end = (): void => {
    session.close("kicked", `an operator ended the session${reason === undefined ? "" : `: ${reason}`}`);
  };
  const network = ban === undefined ? undefined : parseNetwork(hostOf(session.origin.address));
  if (ban === undefined || network === undefined || contains(network, ban.spared)) {
    end();
    return;
  }
  const { by, seconds, once } = ban;
  // Everybody of that network is closed when the ban is heard of; if it could not be set, this one all the same.
  setBan(core, session, network, banRecord(core, { by, seconds, reason }), once, end);
}

/** A ban that begins now. */
export function banRecord(
  core: Core,
  {
    by,
    seconds,
    reason,
  }: { readonly by: string; readonly seconds?: number | undefined; readonly reason?: string | undefined },
): BanRecord {
  const at = core.clock.now();
  return {
    at,
    by,
    ...(seconds === undefined ? {} : { until: at + seconds * 1_000 }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/**
 * Sets what holds for a network, on all servers.
 * @param session of this server, in whose name it is set
 * @param once see RecordChange
 */
export function setBan(
  core: Core,
  session: Session,
  network: Network,
  record: BanRecord,
  once: string,
  done: Done<object>,
): void {
  const value = JSON.stringify(record);
  core.backplane.setRecord({ room: BANS, key: network.text, value, session: session.name, once }, done);
}
