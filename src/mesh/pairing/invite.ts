/**
 * Invites: one text that lets one person into a mesh, safely, by whatever way it is sent.
 *
 *   rtchat://ADDRESS,ADDRESS…/PEER-ID/TICKET
 *
 * Addresses and peer ID stand in the open, so that a person sees whom and where; the ticket is base64url of
 *
 *   u8 version | 32 mesh ID | u32 expiry, seconds since 1970 | 16 token | 4 check
 *
 * and the check is the head of a SHA-256 over everything before it, addresses and peer ID included, so that a text cut
 * off or changed on its way is noticed before anything is dialled. Because the peer ID is in the invite, the one who
 * joins knows the key before the first connection: nobody in between can pose as the host. The token lets in one key,
 * once; who reads the invite first can use it, so it is as secret as the way it travels.
 */
import { createHash } from "node:crypto";
import { parsePeerId, PeerIdError, type PeerId } from "../../identity/peer-id.ts";
import { AddressError, formatAddress, parseAddressList, type Address } from "../../protocol/address.ts";
import { quote } from "../../protocol/names.ts";

/** What an invite says. */
export interface Invite {
  readonly addresses: readonly Address[];
  /** The host's key: the pin. */
  readonly peerId: PeerId;
  /** 32 bytes. */
  readonly meshId: Uint8Array;
  /** 16 random bytes. */
  readonly token: Uint8Array;
  /** ms since 1970, whole seconds. */
  readonly expiresAt: number;
}

/** Bytes of a token: cannot be guessed, and short enough for a line. */
export const tokenBytes = 16;

/** The text is no usable invite; the message says why and what to do. */
export class InviteError extends Error {
  override readonly name = "InviteError";
}

const scheme = "rtchat://";
const inviteVersion = 1;
const bodyBytes = 1 + 32 + 4 + tokenBytes;
const checkBytes = 4;

/** The text for an invite; {@link parseInvite} reads it back. */
export function formatInvite(invite: Invite): string {
  const body = Buffer.alloc(bodyBytes);
  body[0] = inviteVersion;
  body.set(invite.meshId, 1);
  body.writeUInt32BE(Math.floor(invite.expiresAt / 1000), 33);
  body.set(invite.token, 37);
  const open = `${invite.addresses.map(formatAddress).join(",")}/${invite.peerId}/`;
  return `${scheme}${open}${Buffer.concat([body, check(open, body)]).toString("base64url")}`;
}

/** True for what looks like an invite, whole or not. */
export function looksLikeInvite(text: string): boolean {
  return /^\s*rtchat:/i.test(text);
}

/**
 * Reads an invite, with line breaks and spaces that mail programs put in.
 * @throws InviteError
 */
export function parseInvite(text: string): Invite {
  // The bars are those of the chat's own panels, when it is copied from beside them.
  const compact = text.replaceAll(/[\s│]/g, "");
  const parts = /^rtchat:\/\/([^/]+)\/([^/]+)\/([\w-]+)$/i.exec(compact);
  if (parts === null)
    throw new InviteError(`${quote(text)} is not a whole invite: ask for it again, or copy all of it`);
  const [, where = "", who = "", ticket = ""] = parts;
  const bytes = Buffer.from(ticket, "base64url");
  if (bytes.length > 0 && bytes[0] !== inviteVersion) {
    throw new InviteError(
      `the invite is of version ${bytes[0]}, and this rtchat knows version ${inviteVersion}: update it`,
    );
  }
  const body = bytes.subarray(0, bodyBytes);
  const whole =
    bytes.length === bodyBytes + checkBytes &&
    check(`${where}/${who}/`, body).equals(bytes.subarray(bodyBytes));
  if (!whole) throw new InviteError("the invite is damaged or cut off: copy all of it, or ask for a new one");
  return {
    addresses: readAddresses(where),
    peerId: readPeerId(who),
    meshId: new Uint8Array(body.subarray(1, 33)),
    expiresAt: body.readUInt32BE(33) * 1000,
    token: new Uint8Array(body.subarray(37)),
  };
}

function check(open: string, body: Uint8Array): Buffer {
  return createHash("sha256")
    .update("rtchat invite\0")
    .update(open)
    .update(body)
    .digest()
    .subarray(0, checkBytes);
}

function readAddresses(text: string): readonly Address[] {
  try {
    return parseAddressList(text);
  } catch (error) {
    if (error instanceof AddressError)
      throw new InviteError(`the invite's addresses cannot be used: ${error.message}`);
    throw error;
  }
}

function readPeerId(text: string): PeerId {
  try {
    return parsePeerId(text);
  } catch (error) {
    if (error instanceof PeerIdError)
      throw new InviteError(`the invite's peer ID cannot be used: ${error.message}`);
    throw error;
  }
}
