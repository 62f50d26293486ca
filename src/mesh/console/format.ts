/**
 * From what a node tells to lines for a terminal. Pure, but for the machine's time zone.
 *
 * Every string that came from somebody else is sanitised here, so that no line holds a control character.
 */
import { formatPeerId, type PeerId } from "../../identity/peer-id.ts";
import { formatAddress, type Address } from "../../protocol/address.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";
import { explainFailure, type LinkFailure } from "../link/failures.ts";
import type { Attempts } from "../node/dial-plan.ts";
import type { NodeEvent } from "../node/events.ts";
import type { PeerView, TurnedAway, Why } from "../node/views.ts";
import { isTrusted, plainName, shownName } from "./names.ts";

/** Finds a member for a name; a key that is no member has none. */
export type Look = (peerId: PeerId) => PeerView | undefined;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** `12:03`. */
function timeOfDay(at: number): string {
  return clock.format(at);
}

/** A name, or the head of the ID of somebody unknown. */
function nameOf(peerId: PeerId, look: Look): string {
  const peer = look(peerId);
  return peer === undefined ? `~${formatPeerId(peerId).slice(4, 9)}` : shownName(peer);
}

/** Lines about the mesh itself; none for events that are not told in words. */
export function eventLines(event: NodeEvent, look: Look): string[] {
  switch (event.type) {
    case "listening":
      return [
        `listening on port ${event.port}${event.host === undefined || event.host === "::" ? ", all addresses" : ` of ${event.host}`}`,
      ];
    case "mesh":
      return event.how === "joined" && event.by !== undefined
        ? [`you are in the mesh of ${nameOf(event.by, look)} now; /peers shows who is there`]
        : [];
    case "admitted":
      return admittedLines(event.peerId, event.learned === "invite", look);
    case "linked":
      return [`connected to ${nameOf(event.peerId, look)} (${pathWords[event.path]})`];
    case "unlinked":
      return [`connection to ${nameOf(event.peerId, look)} ended: ${failureWords(event.failure)}`];
    case "dial-failed":
      return [`no connection to ${formatAddress(event.address)}: ${failureWords(event.failure)}`];
    case "key-changed":
      return keyChangedLines(event.address, event.known, event.found);
    case "forked":
      return event.self
        ? ["your key is used elsewhere too, or an old copy of its folder was put back: others see two of you"]
        : [
            `${nameOf(event.peerId, look)} has signed two different messages under one number: somebody may have a copy of that key`,
          ];
    case "clock-skew":
      return [`the clock of ${nameOf(event.peerId, look)} is ${skewWords(event.aheadMs)} yours`];
    case "nearby": {
      const address = formatAddress(event.address);
      return [`somebody else has rtchat running at ${address}; /connect ${address} joins or asks to`];
    }
    case "lan-failed":
      return [`not looking for members on this network any more: ${sanitizeLine(event.message)}`];
    case "store-failed":
      return [`not saved: ${sanitizeLine(event.message)}`];
    case "turned-away":
    case "inserted":
    case "members":
    case "topic":
    case "holdings":
    case "fault":
    case "transfer": // Told in the screens' own words; see modes/files.
      return [];
  }
}

const pathWords = {
  local: "on this machine",
  vpn: "over a VPN",
  direct: "directly",
  relay: "through a relay",
} as const;

function skewWords(aheadMs: number): string {
  const minutes = Math.max(1, Math.round(Math.abs(aheadMs) / 60_000));
  return `${minutes} min ${aheadMs > 0 ? "ahead of" : "behind"}`;
}

function admittedLines(peerId: PeerId, invited: boolean, look: Look): string[] {
  const name = nameOf(peerId, look);
  if (invited) return [`${name} came in with an invite`];
  return [
    `${name} came in without an invite: trusted on first use, not verified`,
    `  ID ${formatPeerId(peerId)}`,
    "  /verify NAME compares words, /remove NAME puts out, /lock asks for invites from now on",
  ];
}

function keyChangedLines(address: Address, known: PeerId, found: PeerId): string[] {
  return [
    `REFUSED: the key of ${formatAddress(address)} has changed. Somebody may be pretending to be your peer`,
    `  known ${formatPeerId(known)}`,
    `  now   ${formatPeerId(found)}`,
    `  if you know why (a new device, a new address), start once with --forget ${formatAddress(address)}`,
  ];
}

/** A failure in words: our sentence, and what they said or the system said where it adds something. */
function failureWords({ code, detail }: LinkFailure): string {
  const sentence = explainFailure(code);
  const more = sanitizeLine(detail);
  return more === "" || more.includes(sentence) || sentence === more ? sentence : `${sentence} (${more})`;
}

/** `/peers`. */
export function peerLines(peers: readonly PeerView[], look: Look): string[] {
  const present = peers.filter(({ removedBy }) => removedBy === undefined);
  const rows = present.map((peer) => [
    plainName(peer),
    peer.presence === "self" ? "you" : trustWords(peer),
    reachWords(peer, look),
    formatPeerId(peer.peerId),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
}

function trustWords(peer: PeerView): string {
  if (peer.known?.verifiedAt !== undefined) return "verified";
  return isTrusted(peer) ? "by invite" : "not verified";
}

function reachWords(peer: PeerView, look: Look): string {
  switch (peer.presence) {
    case "self":
      return "";
    case "linked": {
      const roundTrip =
        peer.roundTripMs === undefined
          ? ""
          : `, ${peer.roundTripMs.toFixed(peer.roundTripMs < 10 ? 1 : 0)} ms`;
      return `${peer.path === undefined ? "connected" : pathWords[peer.path]}${roundTrip}`;
    }
    case "via":
      return `through ${peer.via.map((id) => nameOf(id, look)).join(", ")}`;
    case "away":
      return "away";
  }
}

/** `/why`. */
export function whyLines(why: Why): string[] {
  const tried = why.attempts.filter(({ lastFailure }) => lastFailure !== undefined);
  const lines = [
    ...tried.map(attemptLine),
    ...why.turnedAway.map(turnedAwayLine),
    ...why.faults.map(
      ({ detail, at, times }) =>
        `  ${timeOfDay(at)} ${sanitizeLine(detail)}${times > 1 ? ` (${times} times)` : ""}`,
    ),
  ];
  return lines.length === 0 ? ["nothing has gone wrong so far"] : lines;
}

function attemptLine({ target, lastFailure, lastAt, failures }: Attempts): string {
  const again = failures === 0 ? "worked since" : `${failures} in a row`;
  const why = lastFailure === undefined ? "" : failureWords(lastFailure);
  return `  ${timeOfDay(lastAt ?? 0)} ${formatAddress(target.address)}: ${why} [${again}]`;
}

function turnedAwayLine({ remote, failure, at }: TurnedAway): string {
  return `  ${timeOfDay(at)} from ${formatAddress(remote)}: ${failureWords(failure)}`;
}
