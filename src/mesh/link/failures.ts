/**
 * Why a link is not there: one table of codes with a sentence for people, used by `/why`, the log and the last word on
 * the wire. Codes of the TLS layer and of the mesh core appear beside those of the link itself, so that whatever went
 * wrong has a name and an advice.
 */
import type { TlsFailureCode } from "../../net/tls-failure.ts";
import { reasons, type ReasonCode } from "../core/reasons.ts";

/** Refusals and ends that the link protocol itself knows. */
export const linkCodes = {
  version: "they run another version of rtchat; update the older one",
  "bad-hello": "they do not speak the peer protocol",
  "bad-frame": "they sent a frame that makes no sense",
  "frame-too-long": "they sent a longer frame than allowed",
  "bad-certificate": "their certificate does not hold an Ed25519 key",
  "other-key": "somebody else answered there: the key is not the one expected",
  "changed-key": "the key at this address has changed since the first contact",
  "own-key": "that is this device itself",
  removed: "this key was removed from the mesh",
  "different-mesh": "they are in another mesh; ask them for an invite, or use another --data folder",
  "unknown-key": "they do not know this key as a member; ask a member for a new invite",
  "not-invited": "their mesh is closed to strangers; ask a member for an invite",
  "invite-unknown": "they did not make this invite, or have dropped it; ask for a new one",
  "invite-used": "the invite was used by somebody else; ask for a new one",
  "invite-expired": "the invite is too old; ask for a new one",
  busy: "they are joining another mesh themselves; it is tried again",
  "not-ready": "they are still fetching the mesh's log; it is tried again",
  full: "the mesh has as many members as it can have",
  duplicate: "there is another link to the same peer",
  "hello-timeout": "they did not introduce themselves in time",
  silence: "nothing was heard from them for too long",
  "outbox-full": "they read too slowly",
  "going-away": "they left",
  moved: "they joined another mesh; it is tried again",
  closed: "they closed the link",
  reset: "the connection broke",
  misbehaved: "the link was closed because of what was sent over it",
  internal: "a fault of this program",
} as const;

/** A code of {@link linkCodes}. */
export type LinkCode = keyof typeof linkCodes;

const tlsSentences: Readonly<Record<TlsFailureCode, string>> = {
  refused: "nothing listens there: is rtchat peer running, on that port?",
  unreachable: "no way there: is the network or the VPN up?",
  "no-such-host": "the name does not resolve",
  "connect-timeout": "no answer: a firewall, or the machine is off",
  "not-tls": "another program answers there, not rtchat peer",
  http: "a web server answers there, not rtchat peer",
  "chat-line": "a chat server or client is at the other end: that is rtchat client's port, not a peer's",
  "old-tls": "they offer only TLS older than 1.3",
  "no-certificate": "they showed no certificate: not a peer",
  "tls-failed": "the TLS handshake failed",
  "closed-early": "they closed the connection during the handshake",
  "handshake-timeout": "the handshake did not finish in time",
  "too-many-pending": "too many strangers at the door",
  "local-limit": "this process has no free file descriptors",
};

/** Every code that may stand in a {@link LinkFailure}. */
export type FailureCode = LinkCode | TlsFailureCode | ReasonCode;

/** What happened, for `/why`. `detail` may hold foreign text: sanitise it on its way to a screen. */
export interface LinkFailure {
  readonly code: FailureCode;
  readonly detail: string;
}

/** True for a code that came over the wire and is one we know. */
export function isLinkCode(code: string): code is LinkCode {
  return Object.hasOwn(linkCodes, code);
}

/** True for the codes with which a link to somebody who was removed ends, on both sides. */
export function isRemoval(code: FailureCode): boolean {
  return code === "removed" || code === "removed-member";
}

/** The sentence for a code. */
export function explainFailure(code: FailureCode): string {
  if (isLinkCode(code)) return linkCodes[code];
  if (Object.hasOwn(tlsSentences, code)) return tlsSentences[code as TlsFailureCode];
  return reasons[code as ReasonCode].text;
}
