/**
 * Who belongs to the mesh, who may do what, and which secret is current: computed from the log alone.
 *
 * The membership entries are replayed in the mesh's total order, so every peer that has the same entries comes to the
 * same answer. Rules: the founder is the first member; any member admits; founder and admins appoint and remove; the
 * founder cannot be removed; a removed key never comes back; what a key does after its own removal (by the order, not
 * by its own word) has no effect. An entry without effect still stands in the log.
 *
 * Each removal starts a new secret, sealed to those who stay. Somebody admitted at the same moment is not among them;
 * `ungranted` finds such members, and core.ts hands them the secret.
 */
import { hash as digest } from "node:crypto";
import { membershipLimits } from "../../protocol/limits.mesh.ts";
import type { EntryHash, MeshSecret, PeerId, Standing } from "./api.ts";
import type { Body } from "./bodies.ts";
import { fromHex } from "./bytes.ts";
import { insertionIndex, type Author, type Graph, type Node } from "./graph.ts";

/** What the log says of one key. */
export interface MemberRecord {
  readonly author: Author;
  role: "founder" | "admin" | "member";
  readonly admittedBy: PeerId | undefined;
  removedBy: PeerId | undefined;
  /** Clock of the removal. */
  removedAt: number | undefined;
}

/** A start of a new secret. */
interface Rotation {
  readonly hash: EntryHash;
  readonly author: Author;
  /** Hash of the secret, see {@link secretCheck}. */
  readonly check: string;
  /** Keys it has been sealed to. */
  readonly holders: Set<string>;
}

type MembershipBody = Extract<Body, { kind: "found" | "admit" | "appoint" | "remove" | "grant" }>;

interface Event {
  readonly node: Node;
  readonly body: MembershipBody;
}

/** Opens a secret that `author` sealed to this device. */
export type OpenSecret = (author: Author, sealed: Uint8Array) => Uint8Array | undefined;

/** Members, roles and secrets. */
export class Membership {
  readonly records = new Map<string, MemberRecord>();
  name: string | undefined;
  /** ms since 1970. */
  foundedAt: number | undefined;
  /** Newest last. */
  readonly #rotations: Rotation[] = [];
  readonly #events: Event[] = [];
  /** The nodes of `#events`, for searching. */
  readonly #nodes: Node[] = [];
  /** What this device could open. Believed once it fits the rotation it is said to be of. */
  readonly #openings: { readonly rotation: EntryHash; readonly secret: Uint8Array }[] = [];
  /** Secrets by the hash of the rotation. */
  readonly #secrets = new Map<EntryHash, Uint8Array>();
  readonly #graph: Graph;
  readonly #self: string;
  readonly #open: OpenSecret;
  /** Keys removed by an effective removal, members or not. */
  readonly #removed = new Map<string, Node>();
  #stale = false;

  constructor(graph: Graph, self: string, open: OpenSecret) {
    this.#graph = graph;
    this.#self = self;
    this.#open = open;
  }

  /** Entries that say who belongs. */
  get size(): number {
    return this.#events.length;
  }

  /** Takes note of an entry that is in the log; true when it can change who belongs. */
  note(node: Node, body: Body): boolean {
    if (!isMembership(body)) return false;
    const index = insertionIndex(this.#nodes, node);
    this.#nodes.splice(index, 0, node);
    this.#events.splice(index, 0, { node, body });
    this.#openSecret(node, body);
    this.#stale = true;
    return true;
  }

  /** Replays, if anything is new. */
  refresh(): void {
    if (!this.#stale) return;
    this.#stale = false;
    this.records.clear();
    this.#removed.clear();
    this.#rotations.length = 0;
    this.name = undefined;
    this.foundedAt = undefined;
    for (const event of this.#events) this.#apply(event);
    for (const { rotation, secret } of this.#openings) {
      const started = this.#rotations.find(({ hash }) => hash === rotation);
      if (started?.check === secretCheck(secret)) this.#secrets.set(rotation, secret);
    }
  }

  standing(key: string): Standing {
    if (this.#removed.has(key)) return "removed";
    if (this.isActive(key)) return "member";
    return this.name === undefined ? "open" : "unknown";
  }

  isActive(key: string): boolean {
    const record = this.records.get(key);
    return record !== undefined && record.removedAt === undefined;
  }

  /** Role and removal of every key, for finding what changed. */
  summary(): Map<string, string> {
    return new Map(
      [...this.records].map(([key, record]) => [key, `${record.role} ${record.removedBy ?? ""}`]),
    );
  }

  /** Keys of the active members. */
  active(): string[] {
    return [...this.records.keys()].filter((key) => this.isActive(key));
  }

  mayGovern(key: string): boolean {
    return this.isActive(key) && this.records.get(key)?.role !== "member";
  }

  /** The current rotation, and its secret if this device has it. */
  current(): { rotation: EntryHash; secret: Uint8Array | undefined } | undefined {
    const last = this.#rotations.at(-1);
    return last && { rotation: last.hash, secret: this.#secrets.get(last.hash) };
  }

  /** Secrets known here, the current one first. */
  secrets(): MeshSecret[] {
    const known: MeshSecret[] = [];
    for (const [generation, { hash }] of this.#rotations.entries()) {
      const secret = this.#secrets.get(hash);
      if (secret !== undefined) known.unshift({ rotation: hash, generation, secret });
    }
    return known;
  }

  /**
   * Whom the secret that a removal of `key` starts is sealed to: those who stay, as many as fit. When somebody has
   * admitted more than the mesh may have, those who came by the one who is removed are left out first.
   */
  heirs(key: string): string[] {
    const stay = this.active().filter((other) => other !== key);
    if (stay.length <= membershipLimits.sealedMost) return stay;
    const brought = new Set([this.#graph.author(key).peerId]);
    // By the order of admissions, so that who admitted comes before whom they admitted.
    for (const { author, admittedBy } of this.records.values())
      if (admittedBy !== undefined && brought.has(admittedBy)) brought.add(author.peerId);
    const rank = (other: string): number => {
      if (this.mayGovern(other)) return 0;
      return brought.has(this.#graph.author(other).peerId) ? 2 : 1;
    };
    return stay.toSorted((a, b) => rank(a) - rank(b)).slice(0, membershipLimits.sealedMost);
  }

  /**
   * Active members to whom nobody has sealed the current secret, and whom this device should give it: those it admitted,
   * and if it has started the secret, as many others as one removal could have named.
   */
  ungranted(): string[] {
    const last = this.#rotations.at(-1);
    if (last === undefined || !this.#secrets.has(last.hash) || !this.isActive(this.#self)) return [];
    const selfId = this.#graph.author(this.#self).peerId;
    let left = last.author.key === this.#self ? membershipLimits.sealedMost - last.holders.size : 0;
    return this.active().filter((key) => {
      if (last.holders.has(key)) return false;
      if (this.records.get(key)?.admittedBy === selfId) return true;
      left -= 1;
      return left >= 0;
    });
  }

  /** The entry that admits `key` (or founds the mesh), which a new chain of that key must name. */
  admissionOf(key: string): Node | undefined {
    return this.#events.find(
      ({ node, body }) =>
        (body.kind === "found" && node.segment.author.key === key) ||
        (body.kind === "admit" && body.member === key),
    )?.node;
  }

  #apply({ node, body }: Event): void {
    const { author } = node.segment;
    switch (body.kind) {
      case "found":
        this.name ??= body.name;
        this.foundedAt ??= node.clock / 1000;
        if (!this.records.has(author.key)) this.#enlist(author, "founder", undefined);
        this.#rotations.push({ hash: node.hash, author, check: body.check, holders: new Set([author.key]) });
        return;
      case "admit":
        if (!this.isActive(author.key)) return;
        if (!this.records.has(body.member) && !this.#removed.has(body.member))
          this.#enlist(this.#graph.author(body.member), "member", author.peerId);
        if (body.secret !== undefined && body.rotation !== undefined)
          this.#markHolder(body.rotation, body.member);
        return;
      case "grant":
        if (this.isActive(author.key)) this.#markHolder(body.rotation, body.member);
        return;
      case "appoint": {
        const record = this.records.get(body.member);
        if (record?.role === "member" && this.mayGovern(author.key)) record.role = "admin";
        return;
      }
      case "remove":
        this.#remove(node, body);
    }
  }

  #enlist(author: Author, role: MemberRecord["role"], admittedBy: PeerId | undefined): void {
    this.records.set(author.key, { author, role, admittedBy, removedBy: undefined, removedAt: undefined });
  }

  #remove(node: Node, body: Extract<Body, { kind: "remove" }>): void {
    const { author } = node.segment;
    const record = this.records.get(body.member);
    if (!this.mayGovern(author.key) || record?.role === "founder") return;
    // A second removal of the same key still starts a secret: its author sealed it to those who stay by its knowledge.
    const holders = new Set(Object.keys(body.secrets));
    this.#rotations.push({ hash: node.hash, author, check: body.check, holders });
    if (this.#removed.has(body.member)) return;
    this.#removed.set(body.member, node);
    if (record === undefined) return;
    record.removedBy = author.peerId;
    record.removedAt = node.clock;
  }

  #markHolder(rotation: EntryHash, member: string): void {
    this.#rotations.find(({ hash }) => hash === rotation)?.holders.add(member);
  }

  #openSecret(node: Node, body: MembershipBody): void {
    const sealed = sealedFor(this.#self, node, body);
    if (sealed === undefined) return;
    const secret = this.#open(node.segment.author, fromHex(sealed.secret));
    if (secret !== undefined) this.#openings.push({ rotation: sealed.rotation, secret });
  }
}

/** The public fingerprint of a mesh secret, 64 hex digits. */
export function secretCheck(secret: Uint8Array): string {
  return digest("sha256", Buffer.concat([Buffer.from("rtchat mesh secret 1\n"), secret]), "hex");
}

const membershipKinds: ReadonlySet<string> = new Set(["found", "admit", "appoint", "remove", "grant"]);

/** True for what can change who belongs. */
export function isMembership(body: Body): body is MembershipBody {
  return membershipKinds.has(body.kind);
}

/** The part of a body that is sealed to `self`. */
function sealedFor(
  self: string,
  node: Node,
  body: MembershipBody,
): { rotation: EntryHash; secret: string } | undefined {
  switch (body.kind) {
    case "found":
      return node.segment.author.key === self ? { rotation: node.hash, secret: body.secret } : undefined;
    case "remove": {
      const secret = body.secrets[self];
      return secret === undefined ? undefined : { rotation: node.hash, secret };
    }
    case "admit":
    case "grant":
      if (body.member !== self || body.rotation === undefined || body.secret === undefined) return undefined;
      return { rotation: body.rotation, secret: body.secret };
    case "appoint":
      return undefined;
  }
}
