/**
 * Known peers: whom this device has met, where, and how far it trusts the key. The peer's `known_hosts`.
 *
 * Three maps. By address: the key that answered there on the first contact by a bare address; another key there later
 * is refused, loudly, until a person forgets the old one. By name in a cluster of servers, and at the address where it
 * is reached (`at HOST:PORT` in the cluster's place), because a server that lies may call itself otherwise: the key
 * that the server vouched for when it first introduced the two; the same holds. By key: how it was learned
 * (`first-use`: it simply answered; `invite`: an invite pinned it; `member`: a member let it in; `server`: see above)
 * and when its words were compared. Trust only rises: nothing a peer does makes a key less verified, only forgetting it
 * does.
 *
 * Kept in one JSON file, written whole on each change; changes are rare and made by people. Several programs may run
 * with one file (a client and a peer), so each change begins by reading what the others have written.
 */
import { z } from "zod";
import { isPeerId, type PeerId } from "../../identity/peer-id.ts";
import { AddressError, formatAddress, parseAddress, type Address } from "../../protocol/address.ts";
import { readJsonFile, writeJsonFile } from "./json-file.ts";

/** How a key was learned. */
export type LearnedBy = (typeof ways)[number];
const ways = ["first-use", "invite", "member", "server"] as const;

const peerId = z.custom<PeerId>((value) => typeof value === "string" && isPeerId(value), "not a peer ID");
const fileSchema = z.object({
  version: z.literal(1),
  addresses: z.record(z.string().refine(isAddress, "not an address"), peerId),
  /** A list, because clusters and nicks are foreign text, which keys of objects may not be (`__proto__`). */
  names: z.array(z.object({ cluster: z.string(), nickKey: z.string(), peerId })).default([]),
  peers: z.array(
    z.object({
      peerId,
      learned: z.enum(ways),
      firstSeen: z.number(),
      verifiedAt: z.number().optional(),
    }),
  ),
});

/** One key, as remembered. */
export interface KnownPeer {
  readonly peerId: PeerId;
  readonly learned: LearnedBy;
  /** ms since 1970. */
  readonly firstSeen: number;
  /** When the words were compared, ms since 1970; undefined until then. */
  readonly verifiedAt: number | undefined;
}

/** What a node asks of whom this device has met. */
export type Acquaintances = Pick<KnownPeers, "get" | "meet" | "verify" | "pin" | "pinOf" | "pins">;

/** The file in memory. Every change is on disk when the call returns. */
export class KnownPeers {
  readonly path: string;
  readonly #addresses = new Map<string, PeerId>();
  readonly #peers = new Map<PeerId, KnownPeer>();
  #names: z.infer<typeof fileSchema>["names"] = [];

  /** @throws StateFileError when the file is there and cannot be used */
  constructor(path: string) {
    this.path = path;
    this.#read();
  }

  #read(): void {
    const file = readJsonFile(this.path, fileSchema);
    if (file === undefined) return;
    this.#addresses.clear();
    this.#peers.clear();
    for (const [address, id] of Object.entries(file.addresses)) this.#addresses.set(address, id);
    for (const peer of file.peers) this.#peers.set(peer.peerId, { ...peer, verifiedAt: peer.verifiedAt });
    this.#names = file.names;
  }

  /** The key that must answer at an address that a person typed, if it ever did. */
  pinOf(address: Address): PeerId | undefined {
    return this.#addresses.get(formatAddress(address));
  }

  /** Every remembered address with its key. */
  pins(): readonly (readonly [Address, PeerId])[] {
    return [...this.#addresses].map(([text, id]) => [parseAddress(text), id]);
  }

  get(id: PeerId): KnownPeer | undefined {
    return this.#peers.get(id);
  }

  /** Remembers a key when it is new. @throws StateFileError when that could not be written */
  meet(id: PeerId, learned: LearnedBy, now: number): void {
    if (this.#peers.has(id)) return;
    this.#read();
    if (this.#peers.has(id)) return;
    this.#peers.set(id, { peerId: id, learned, firstSeen: now, verifiedAt: undefined });
    this.#write();
  }

  /** Remembers which key answered at an address, when none was remembered. */
  pin(address: Address, id: PeerId): void {
    const key = formatAddress(address);
    if (this.#addresses.has(key)) return;
    this.#read();
    if (this.#addresses.has(key)) return;
    this.#addresses.set(key, id);
    this.#write();
  }

  /** The words were compared and are the same. */
  verify(id: PeerId, now: number): void {
    this.#read();
    const known = this.#peers.get(id) ?? {
      peerId: id,
      learned: "member",
      firstSeen: now,
      verifiedAt: undefined,
    };
    this.#peers.set(id, { ...known, verifiedAt: now });
    this.#write();
  }

  /** Forgets the key at an address, so that the next one to answer is believed. False when none was remembered. */
  forget(address: Address): boolean {
    this.#read();
    if (!this.#addresses.delete(formatAddress(address))) return false;
    this.#write();
    return true;
  }

  /** The key that a cluster's servers vouched for under a name, if they ever did. @param nickKey see nameKey */
  vouchedFor(cluster: string, nickKey: string): PeerId | undefined {
    return this.#names.find((name) => name.cluster === cluster && name.nickKey === nickKey)?.peerId;
  }

  /** A cluster's servers vouch for a key under a name, when none was remembered. */
  vouch(cluster: string, nickKey: string, id: PeerId, now: number): void {
    this.meet(id, "server", now);
    if (this.vouchedFor(cluster, nickKey) !== undefined) return;
    this.#read();
    if (this.vouchedFor(cluster, nickKey) !== undefined) return;
    this.#names = [...this.#names, { cluster, nickKey, peerId: id }];
    this.#write();
  }

  /** Forgets the key of a name, so that the next one is believed. False when none was remembered. */
  forgetName(cluster: string, nickKey: string): boolean {
    this.#read();
    const left = this.#names.filter((name) => name.cluster !== cluster || name.nickKey !== nickKey);
    if (left.length === this.#names.length) return false;
    this.#names = left;
    this.#write();
    return true;
  }

  #write(): void {
    const peers = [...this.#peers.values()];
    const addresses = Object.fromEntries(this.#addresses);
    writeJsonFile(this.path, { version: 1, addresses, names: this.#names, peers });
  }
}

function isAddress(text: string): boolean {
  try {
    return formatAddress(parseAddress(text)) === text;
  } catch (error) {
    if (error instanceof AddressError) return false;
    throw error;
  }
}
