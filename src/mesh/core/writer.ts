/**
 * Writing own entries: from what a person wants to say or do to a signed entry, or to a refusal that says why not.
 *
 * Nothing here changes the log. Bodies go through the same check as those of others, so a device never signs what its
 * peers would refuse.
 */
import { publicKeyOf } from "../../identity/peer-id.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { membershipLimits } from "../../protocol/limits.mesh.ts";
import { parseNick, parseRoom } from "../../protocol/names.ts";
import type { CoreRandom, Draft, PeerId, Refused, Signer } from "./api.ts";
import { checkedText, decodeBody, encodeJson, encodeText, type Body } from "./bodies.ts";
import { FormatError, toHex } from "./bytes.ts";
import { encodeEntry, entryKinds, type Entry, type EntryKind } from "./entry.ts";
import { meshIdOf } from "./mesh-id.ts";
import { secretCheck } from "./membership.ts";
import type { OwnChain } from "./own-chain.ts";
import { refusal } from "./reasons.ts";
import type { MeshSeals } from "./secrets.ts";
import type { MeshState } from "./state.ts";
import { StoreError } from "./store-error.ts";

/** What a writer is made of. */
export interface WriterParts {
  readonly meshId: Uint8Array;
  readonly signer: Signer;
  readonly seals: MeshSeals;
  readonly random: CoreRandom;
  readonly own: OwnChain;
  state(): MeshState;
  /** Wall clock, ms. */
  now(): number;
}

/** A signed entry that is nowhere yet. */
export type Written = { readonly ok: true; readonly entry: Entry; readonly body: Body } | Refused;

/** Writes the entries of one device. */
export class Writer {
  readonly #parts: WriterParts;
  readonly #self: string;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#self = toHex(parts.signer.publicKey);
  }

  found(name: string, nonce: Uint8Array): Written {
    const { signer, meshId, seals, random } = this.#parts;
    if (this.#parts.state().log.graph.nodes.size > 0)
      return refusal("already-founded", "this mesh's log has begun; start another mesh instead");
    if (!Buffer.from(meshIdOf(signer.publicKey, nonce)).equals(meshId))
      return refusal("not-authorised", "this mesh was not made with this device's key");
    const secret = random.bytes(32);
    return this.#sign("found", "", () =>
      encodeJson("found", {
        name,
        nonce: toHex(nonce),
        check: secretCheck(secret),
        secret: seals.sealSecret(signer.publicKey, secret),
      }),
    );
  }

  admit(peerId: PeerId): Written {
    const { membership } = this.#parts.state();
    const member = publicKeyOf(peerId);
    const key = toHex(member);
    const standing = membership.standing(key);
    if (standing === "removed")
      return refusal("removed-member", `${peerId} was removed, and that is for good`);
    if (standing === "member") return refusal("already-member", `${peerId} is a member already`);
    if (membership.active().length >= membershipLimits.members)
      return refusal("too-many-members", `a mesh has at most ${membershipLimits.members} members`);
    return this.#sign("admit", "", () => {
      const current = membership.current();
      if (current?.secret === undefined) return encodeJson("admit", { member: key });
      const secret = this.#parts.seals.sealSecret(member, current.secret);
      return encodeJson("admit", { member: key, rotation: current.rotation, secret });
    });
  }

  appoint(peerId: PeerId): Written {
    const key = toHex(publicKeyOf(peerId));
    const { membership } = this.#parts.state();
    if (!membership.mayGovern(this.#self)) return notAuthorised();
    if (!membership.isActive(key)) return refusal("not-a-member", `${peerId} is not a member of this mesh`);
    return this.#sign("appoint", "", () => encodeJson("appoint", { member: key }));
  }

  remove(peerId: PeerId): Written {
    const key = toHex(publicKeyOf(peerId));
    const { membership, log } = this.#parts.state();
    if (!membership.mayGovern(this.#self)) return notAuthorised();
    if (!membership.isActive(key)) return refusal("not-a-member", `${peerId} is not a member of this mesh`);
    if (membership.records.get(key)?.role === "founder")
      return refusal("not-authorised", "the founder cannot be removed");
    const secret = this.#parts.random.bytes(32);
    return this.#sign("remove", "", () => {
      const secrets: Record<string, string> = {};
      for (const other of membership.heirs(key)) {
        const sealed = this.#sealSecret(log.graph.author(other).bytes, secret);
        if (sealed !== undefined) secrets[other] = sealed;
      }
      return encodeJson("remove", { member: key, check: secretCheck(secret), secrets });
    });
  }

  /** Hands the current secret to a member who lacks it. */
  grant(key: string): Written {
    const { membership, log } = this.#parts.state();
    const current = membership.current();
    const { secret } = current ?? {};
    if (current === undefined || secret === undefined)
      return refusal("no-previous", "this device does not have the mesh secret yet");
    return this.#sign("grant", "", () =>
      encodeJson("grant", {
        member: key,
        rotation: current.rotation,
        secret: this.#parts.seals.sealSecret(log.graph.author(key).bytes, secret),
      }),
    );
  }

  /** What people write. */
  draft(draft: Draft): Written {
    switch (draft.kind) {
      case "chat":
      case "action":
      case "topic":
        return this.#inRoom(draft);
      case "direct":
        return this.#direct(draft);
      case "profile":
        return this.#sign("profile", "", () => encodeJson("profile", { nick: parseNick(draft.nick) }));
      case "addresses":
        return this.#sign("addresses", "", () =>
          encodeJson("addresses", { addresses: [...draft.addresses] }),
        );
    }
  }

  /** Undefined for a member whose key is no point of the curve: such a member must not be able to block a removal. */
  #sealSecret(to: Uint8Array, secret: Uint8Array): string | undefined {
    try {
      return this.#parts.seals.sealSecret(to, secret);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  #inRoom(draft: Extract<Draft, { room: string }>): Written {
    let room: string;
    try {
      room = parseRoom(draft.room);
    } catch (error) {
      return badText(error);
    }
    return this.#sign(draft.kind, room, () => encodeText(draft.text));
  }

  #direct(draft: Extract<Draft, { kind: "direct" }>): Written {
    const to = publicKeyOf(draft.to);
    if (!this.#parts.state().membership.isActive(toHex(to)))
      return refusal("not-a-member", `${draft.to} is not a member of this mesh`);
    if (toHex(to) === this.#self) return refusal("own-key", "a direct message needs somebody else");
    return this.#sign("direct", "", () =>
      Buffer.concat([to, this.#parts.seals.sealText(to, encodeText(checkedText("direct", draft.text)))]),
    );
  }

  #sign(kind: EntryKind, room: string, makeBody: () => Uint8Array): Written {
    const { membership, log } = this.#parts.state();
    const standing = membership.standing(this.#self);
    if (standing === "removed")
      return refusal(
        "removed-member",
        "this device was removed from the mesh; ask for an invite with a new key",
      );
    if (kind !== "found" && standing !== "member")
      return refusal("no-previous", "wait until a peer has brought the mesh's log, then try again");
    try {
      const { own, meshId, signer } = this.#parts;
      const body = makeBody();
      const admission = () => (kind === "found" ? undefined : membership.admissionOf(this.#self));
      const position = own.next(log.graph, admission, this.#parts.now());
      if (position === undefined)
        return refusal("clock-ahead", "the mesh's log is far ahead of this device's clock; set the clock");
      const content = { kind: entryKinds[kind], author: this.#self, room, body, ...position };
      const decoded = decodeBody(content);
      const entry = encodeEntry(meshId, content, (message) => signer.sign(message));
      return { ok: true, entry, body: decoded };
    } catch (error) {
      if (error instanceof StoreError) return refusal("store-failed", error.message);
      return badText(error);
    }
  }
}

function notAuthorised(): Refused {
  return refusal("not-authorised", "only the founder and admins may do that; ask one of them");
}

/** Turns what a check threw into a refusal; other errors go on. */
function badText(error: unknown): Refused {
  if (error instanceof ProtocolError || error instanceof FormatError || error instanceof RangeError)
    return refusal("bad-text", error.message);
  throw error;
}
