/**
 * Which mesh this node is in, and how that changes: letting strangers in, being let in, and what is written meanwhile.
 *
 * At most one question is open at a time: while we wait to be let in somewhere, we let nobody into our own mesh, because
 * we may be about to give it up. So of several nodes that find each other at the same moment, all end in one mesh.
 *
 * A mesh with others in it is given up only while it is young, for one of a lower rank (judge.ts says why); the others
 * follow, each by the same rule, and each brings what it wrote.
 *
 * Joining is a change of the core: the new mesh's log is opened, empty, and arrives by sync. What a person writes before
 * it is here waits in a bounded list; what they wrote in their own, unread mesh is written again in the new one.
 */
import { createHash } from "node:crypto";
import type { Clock, Random } from "../../protocol/clock.ts";
import { parseAddress } from "../../protocol/address.ts";
import { inviteLimits, peerNodeLimits } from "../../protocol/limits.peer.ts";
import type { Draft, EntryHash, MeshCoreApi, MeshListener, PeerId, ReasonCode } from "../core/api.ts";
import type { LinkCode } from "../link/failures.ts";
import { formerMost, type Admission, type Introduction } from "../link/hello.ts";
import type { AdmittedBy, Link } from "../link/link.ts";
import { formatInvite, tokenBytes, type Invite } from "../pairing/invite.ts";
import { IssuedInvites } from "../pairing/issued-invites.ts";
import type { LearnedBy } from "../pairing/known-peers.ts";
import { Drafts, type Written, type WrittenHandler } from "./drafts.ts";
import type { NodeEvent } from "./events.ts";
import { guarded } from "./guarded.ts";
import type { MeshHome } from "./home.ts";
import type { MeshOpener, OpenedMesh } from "./open-mesh.ts";

/** What the node gives it. */
export interface BelongingOptions {
  readonly self: PeerId;
  readonly home: MeshHome;
  readonly opener: MeshOpener;
  readonly clock: Clock;
  readonly random: Random;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly nick: string | undefined;
  readonly fallbackNick: string;
  readonly invite: Invite | undefined;
  readonly inviteOnly: boolean;
  /** The addresses to announce and to put into invites. */
  addresses(): readonly string[];
  /** True when a person asked to join somebody. */
  seeking(): boolean;
  /** True while somebody else than this guest may yet answer whom we would rather join. */
  mayStillJoin(guest: PeerId): boolean;
  closeLinks(peerId: PeerId, code: LinkCode | ReasonCode): void;
  /** We are in another mesh: links of the former one end, and their peers find us again in the new one. */
  closeOthers(than: Link | undefined): void;
  event(event: NodeEvent): void;
}

/** See above. */
export class Belonging {
  /** Let in only who has an invite. */
  inviteOnly: boolean;
  readonly #options: BelongingOptions;
  #mesh: OpenedMesh;
  #joining: Link | undefined;
  readonly #drafts: Drafts;
  #announced = false;
  /** Whether our nick was announced in this mesh; afterwards only the person changes it. */
  #named = false;
  #former: readonly Uint8Array[] = [];
  #isMakeshift = false;
  /** Some of what waits is kept on disk: until it is in the log, so that a kill loses none of it. */
  #isKept = false;
  #joinedOnFirstUse = false;
  /** When to stop waiting for a log that nobody may have any more, monotonic ms. */
  #giveUpAt = Infinity;
  /** The last one we let in: the entry that did it, and how long they are given to fetch it. */
  #guest: { readonly entry: EntryHash; readonly until: number } | undefined;

  /** Opens the invite's mesh if we are in it already, else the current one, else a new one of our own. */
  constructor(options: BelongingOptions) {
    this.#options = options;
    this.inviteOnly = options.inviteOnly;
    this.#mesh = this.#enter();
    this.#drafts = new Drafts(options.home.unsent(this.core.meshId));
    this.#isKept = this.#drafts.unsent.length > 0;
  }

  get core(): MeshCoreApi {
    return this.#mesh.core;
  }

  close(): void {
    const { home, invite } = this.#options;
    // Who invited could not be reached: what was written meanwhile is for them, and the makeshift goes.
    if (this.#isMakeshift && invite !== undefined) {
      this.#drafts.carry(this.core);
      home.keepUnsent(invite.meshId, [...home.unsent(invite.meshId), ...this.#drafts.unsent]);
    } else home.keepUnsent(this.core.meshId, this.#drafts.unsent);
    this.#mesh.close();
    if (this.#isMakeshift) this.#options.opener.discard(this.core.meshId);
  }

  /** How we introduce ourselves. */
  situation(): Pick<Introduction, "situation" | "seeking" | "rank"> {
    const { core } = this;
    const seeking = this.#options.seeking();
    const others = core
      .members()
      .some(({ peerId, removedBy }) => peerId !== core.self && removedBy === undefined);
    // Let in, but without the log yet: the others are there although we cannot name them.
    const isMember = others || core.standing(core.self) !== "member";
    if (!isMember) return { situation: "alone", seeking };
    const rank = this.#rank();
    return { situation: "member", seeking, ...(rank === undefined ? {} : { rank }) };
  }

  /** Where our mesh stands among those that may be given up; undefined when it may not. */
  #rank(): string | undefined {
    const { core } = this;
    if (this.inviteOnly) return undefined;
    // Let in by somebody who then moved on: nobody may be left in there, so any other mesh is better.
    if (this.#isWaitingForLog) return `1${rankOf(core.meshId)}`;
    const age = this.#options.clock.now() - (core.foundedAt() ?? -Infinity);
    return age < peerNodeLimits.youngMs ? `0${rankOf(core.meshId)}` : undefined;
  }

  /** Let in on first use by this process, and without the log so far: whoever was removed since has it, and keeps it. */
  get #isWaitingForLog(): boolean {
    const standing = this.core.standing(this.core.self);
    return this.#joinedOnFirstUse && standing !== "member" && standing !== "removed";
  }

  /** Mesh secrets, the current one first. */
  secrets(): readonly Uint8Array[] {
    const known = this.core.secrets().map(({ secret }) => secret);
    const admitted = this.#options.home.mesh(this.core.meshId)?.secret;
    return known.length === 0 && admitted !== undefined ? [admitted] : known;
  }

  /** Secrets of young meshes with others in them that we left for this one, the latest first. */
  formerSecrets(): readonly Uint8Array[] {
    return this.#former;
  }

  /** The token of the invite we were started with, for the one who made it. */
  tokenFor(peerId: PeerId): string | undefined {
    const { invite } = this.#options;
    if (invite?.peerId !== peerId || this.#isIn(invite.meshId)) return undefined;
    return Buffer.from(invite.token).toString("base64url");
  }

  /** Lets a stranger in, or says why not. */
  admit(link: Link, by: AdmittedBy, token: string | undefined): Admission | LinkCode {
    const { peerId } = link;
    const secret = this.secrets()[0];
    if (peerId === undefined || this.#joining !== undefined) return "busy";
    if (secret === undefined) return "not-ready";
    const now = this.#options.clock.now();
    if (by === "first-use" && this.inviteOnly) return "not-invited";
    if (by === "first-use" && this.situation().situation === "alone" && this.#options.mayStillJoin(peerId))
      return "busy";
    if (by === "invite") {
      const redeemed = this.#invites().redeem(Buffer.from(token ?? "", "base64url"), peerId, now);
      if (redeemed !== "ok") return redeemed;
    }
    if (this.core.standing(peerId) !== "member") {
      const admitted = this.core.admit(peerId);
      if (!admitted.ok) return codeOfRefusal(admitted.code);
      this.#guest = { entry: admitted.hash, until: this.#options.clock.monotonic() + peerNodeLimits.guestMs };
      const learned: LearnedBy = by === "invite" || by === "first-use" ? by : "member";
      this.#options.home.known.meet(peerId, learned, now);
      this.#options.event({ type: "admitted", peerId, learned });
    }
    return { mesh: base64url(this.core.meshId), secret: base64url(secret) };
  }

  /** Before we ask to be let in. */
  mayJoin(link: Link): LinkCode | undefined {
    // Nor is whoever lets in by invite only to be fetched away by a stranger, with all that was written for the invited.
    if (this.inviteOnly && !link.isAsked) return "not-invited";
    // Somebody we have just let in has nothing but our word yet: first they get the log.
    if (this.#isHostingGuest) return "busy";
    const { situation, rank } = this.situation();
    // We may have joined somebody since we said hello.
    if (this.#joining !== undefined || (situation === "member" && rank === undefined)) return "busy";
    this.#joining = link;
    return undefined;
  }

  get #isHostingGuest(): boolean {
    if (this.#guest === undefined || this.#guest.until < this.#options.clock.monotonic()) return false;
    return (this.core.holding(this.#guest.entry)?.held ?? 2) < 2;
  }

  /** They let us in: give up our own mesh for theirs. */
  adopt(link: Link, admission: Admission): LinkCode | undefined {
    if (this.#joining !== link || link.peerId === undefined) return "busy";
    this.#joining = undefined;
    const id = new Uint8Array(Buffer.from(admission.mesh, "base64url"));
    if (this.#isIn(id)) return undefined;
    const { invite, home, clock, opener } = this.#options;
    if (invite?.peerId === link.peerId && base64url(invite.meshId) !== admission.mesh)
      return "different-mesh";
    const own = this.#mesh;
    const left = this.secrets();
    const wasAlone = this.situation().situation === "alone";
    // First what can fail; nothing has changed if it does.
    const unsent = home.unsent(id);
    const next = opener.open(id, this.#listen());
    home.enter({ id, secret: new Uint8Array(Buffer.from(admission.secret, "base64url")) }, clock.now());
    this.#drafts.carry(own.core);
    this.#drafts.precede(unsent);
    this.#isKept = unsent.length > 0;
    this.#mesh = next;
    own.close();
    if (!wasAlone) this.#former = [...left, ...this.#former].slice(0, formerMost);
    if (wasAlone) {
      if (!this.#isMakeshift) home.leave(own.core.meshId);
      opener.discard(own.core.meshId);
    }
    this.#isMakeshift = false;
    this.#guest = undefined;
    const learned = invite?.peerId === link.peerId ? "invite" : "first-use";
    this.#joinedOnFirstUse = learned === "first-use";
    this.#giveUpAt = clock.monotonic() + peerNodeLimits.logWaitMs * (1 + this.#options.random());
    this.#announced = false;
    this.#named = false;
    home.known.meet(link.peerId, learned, clock.now());
    this.#options.closeOthers(link);
    this.#options.event({ type: "mesh", how: "joined", by: link.peerId });
    return undefined;
  }

  /** A link is up: remember its key. */
  met(link: Link): void {
    if (link.peerId !== undefined)
      this.#options.home.known.meet(link.peerId, "member", this.#options.clock.now());
  }

  /** A link ended. */
  ended(link: Link): void {
    if (this.#joining === link) this.#joining = undefined;
  }

  /** A fresh invite. */
  invite(): string {
    const { clock, randomBytes, self } = this.#options;
    const token = randomBytes(tokenBytes);
    const now = clock.now();
    const expiresAt = Math.floor((now + inviteLimits.lifeMs) / 1000) * 1000;
    this.#invites().issue(token, expiresAt, now);
    const addresses = this.#options.addresses().map((text) => parseAddress(text));
    return formatInvite({ addresses, peerId: self, meshId: this.core.meshId, token, expiresAt });
  }

  /**
   * Writes something, now or as soon as the log is here.
   * @param written called with the entry's hash once it is in the log, before anybody else hears of it; again with
   * another hash when the mesh is given up for another one
   */
  publish(draft: Draft, written?: WrittenHandler): Written {
    // First who we are, so that nobody reads a message of somebody without a name.
    if (!this.#announced && this.core.standing(this.core.self) === "member") this.#introduce();
    return this.#drafts.publish(this.core, draft, written);
  }

  /** Our addresses may have changed: {@link settle} announces them. */
  announce(): void {
    this.#announced = false;
  }

  /** Does what had to wait. Called every tick, outside of any core call. */
  settle(): void {
    if (this.core.standing(this.core.self) !== "member") {
      if (this.#isWaitingForLog && this.#options.clock.monotonic() > this.#giveUpAt) this.#startAnew();
      return;
    }
    if (!this.#announced) this.#introduce();
    this.#drafts.flush(this.core, this.#options.clock.monotonic());
    if (this.#isKept && this.#drafts.unsent.length === 0) this.#forgetKept();
  }

  /** All that was kept is in the log. */
  #forgetKept(): void {
    this.#isKept = false;
    guarded(
      () => this.#options.home.keepUnsent(this.core.meshId, []),
      (message) => this.#options.event({ type: "store-failed", message }),
    );
  }

  /** Who let us in moved on before we had the log, and nobody else has it: back to a mesh of our own. */
  #startAnew(): void {
    const { home, opener, clock } = this.#options;
    const lost = this.#mesh;
    this.#mesh = opener.found(this.#listen());
    home.enter({ id: this.core.meshId, secret: undefined }, clock.now());
    lost.close();
    home.leave(lost.core.meshId);
    opener.discard(lost.core.meshId);
    this.#joinedOnFirstUse = false;
    this.#options.closeOthers(undefined);
    this.#options.event({ type: "mesh", how: "founded", by: undefined });
  }

  /** Publishes our nick and addresses, where the log says something else. */
  #introduce(): void {
    const { core } = this;
    const own = core.member(core.self);
    const nick = this.#options.nick ?? own?.nick ?? this.#options.fallbackNick;
    const addresses = this.#options.addresses();
    if (own?.nick !== nick && !this.#named) this.#tell({ kind: "profile", nick });
    this.#named = true;
    if (own?.addresses.join() !== addresses.join()) this.#tell({ kind: "addresses", addresses });
    this.#announced = true;
  }

  #tell(draft: Draft): void {
    const published = this.core.publish(draft);
    if (!published.ok) this.#options.event({ type: "store-failed", message: published.message });
  }

  #enter(): OpenedMesh {
    const { home, opener, invite, clock } = this.#options;
    const invited = invite && home.mesh(invite.meshId);
    const current = invited ?? home.current();
    if (current !== undefined) {
      const mesh = opener.open(current.id, this.#listen());
      this.#mesh = mesh;
      if (invite === undefined || invited !== undefined || this.situation().situation === "alone") {
        home.enter(current, clock.now());
        return mesh;
      }
      // It stays on disk and current; until the invite has led to another mesh we are in one that nobody will miss.
      mesh.close();
      this.#isMakeshift = true;
    }
    const mesh = opener.found(this.#listen());
    if (!this.#isMakeshift) home.enter({ id: mesh.core.meshId, secret: undefined }, clock.now());
    return mesh;
  }

  #isIn(meshId: Uint8Array): boolean {
    return base64url(this.core.meshId) === base64url(meshId);
  }

  #invites(): IssuedInvites {
    const { notes } = this.#mesh;
    return new IssuedInvites({
      read: () => notes.read("invites"),
      write: (text) => notes.write("invites", text),
    });
  }

  #listen(): MeshListener {
    const event = (happened: NodeEvent): void => this.#options.event(happened);
    return {
      inserted: (insertions) => event({ type: "inserted", insertions }),
      membersChanged: (peerIds) => event({ type: "members", peerIds }),
      topicChanged: (room, topic) => event({ type: "topic", room, topic }),
      holdingsChanged: () => event({ type: "holdings" }),
      secretChanged: () => {},
      forked: (peerId, self) => event({ type: "forked", peerId, self }),
      clockSkew: (peerId, aheadMs) => event({ type: "clock-skew", peerId, aheadMs }),
      fault: (fault, close) => {
        event({ type: "fault", fault });
        // Not from inside the core's call: closing comes back to it.
        if (close) queueMicrotask(() => this.#options.closeLinks(fault.peerId, fault.code));
      },
      storeFailed: (message) => event({ type: "store-failed", message }),
    };
  }
}

function codeOfRefusal(code: ReasonCode): LinkCode {
  const codes: Partial<Record<ReasonCode, LinkCode>> = {
    "too-many-members": "full",
    "removed-member": "removed",
    "no-previous": "not-ready",
    "own-key": "own-key",
  };
  return codes[code] ?? "internal";
}

/** A mesh's place in an order that everybody computes alike and nobody can choose. */
function rankOf(meshId: Uint8Array): string {
  return createHash("sha256").update("rtchat mesh rank\0").update(meshId).digest("hex").slice(0, 16);
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
