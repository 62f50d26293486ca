/** What a node is made of. */
import type { Identity } from "../../identity/key-file.ts";
import type { PeerId } from "../../identity/peer-id.ts";
import type { TlsIdentity } from "../../net/tls-dial.ts";
import type { Address } from "../../protocol/address.ts";
import type { Clock, Random } from "../../protocol/clock.ts";
import type { Invite } from "../pairing/invite.ts";
import type { FileStore } from "../transfer/file-store.ts";
import type { Interfaces } from "./addresses.ts";
import type { NodeEvent } from "./events.ts";
import type { MeshHome } from "./home.ts";
import type { MeshOpener } from "./open-mesh.ts";

/** Everything a node is made of. */
export interface NodeOptions {
  readonly identity: Identity;
  readonly tls: TlsIdentity;
  readonly home: MeshHome;
  readonly opener: MeshOpener;
  readonly clock: Clock;
  readonly random: Random;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Shown to the others. Undefined: what was set before, or `fallbackNick`. */
  readonly nick: string | undefined;
  readonly fallbackNick: string;
  /** `host` undefined: all addresses. Port 0: any. */
  readonly listen: { readonly host: string | undefined; readonly port: number };
  /** Nobody but this key: a private mesh of two. Undefined: whoever may be a member. */
  readonly partner?: PeerId;
  /** Neither listens nor dials: links come by {@link MeshNode.attach} alone. */
  readonly isHidden?: boolean;
  /** Addresses a person typed. */
  readonly connect: readonly Address[];
  readonly invite: Invite | undefined;
  /** Let in only who has an invite. */
  readonly inviteOnly: boolean;
  /** Announced instead of the machine's own addresses, where a port is forwarded; undefined: the own ones. */
  readonly announce: readonly Address[] | undefined;
  /** Look for members on the local networks, and be found there. */
  readonly lan: boolean;
  /** Where files that are sent come from, and received ones go to. */
  readonly files: FileStore;
  readonly interfaces?: () => Interfaces;
  onEvent(event: NodeEvent): void;
}
