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
import type { PeerWords } from "./words.ts";

/** Finds a member for a name; a key that is no member has none. */
export type Look = (peerId: PeerId) => PeerView | undefined;

/** `12:03`. */
function timeOfDay(at: number, { locale }: PeerWords): string {
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }).format(at);
}

/** A name, or the head of the ID of somebody unknown. */
function nameOf(peerId: PeerId, look: Look): string {
  const peer = look(peerId);
  return peer === undefined ? `~${formatPeerId(peerId).slice(4, 9)}` : shownName(peer);
}

/** Lines about the mesh itself; none for events that are not told in words. */
export function eventLines(event: NodeEvent, look: Look, words: PeerWords): string[] {
  const name = (peerId: PeerId): string => nameOf(peerId, look);
  switch (event.type) {
    case "listening":
      return [
        event.host === undefined || event.host === "::"
          ? words.listening(event.port)
          : words.listeningOn(event.port, event.host),
      ];
    case "mesh":
      return event.how === "joined" && event.by !== undefined ? [words.inMesh(name(event.by))] : [];
    case "admitted":
      return admittedLines(event.peerId, event.learned === "invite", look, words);
    case "linked":
      return [words.linked(name(event.peerId), words.paths[event.path])];
    case "unlinked":
      return [words.unlinked(name(event.peerId), failureWords(event.failure, words))];
    case "dial-failed":
      return [words.dialFailed(formatAddress(event.address), failureWords(event.failure, words))];
    case "key-changed":
      return keyChangedLines(event.address, event.known, event.found, words);
    case "forked":
      return [event.self ? words.ownFork : words.fork(name(event.peerId))];
    case "clock-skew": {
      const minutes = Math.max(1, Math.round(Math.abs(event.aheadMs) / 60_000));
      const tell = event.aheadMs > 0 ? words.clockAhead : words.clockBehind;
      return [tell(name(event.peerId), minutes)];
    }
    case "nearby":
      return [words.nearby(formatAddress(event.address))];
    case "lan-failed":
      return [words.lanFailed(sanitizeLine(event.message))];
    case "store-failed":
      return [words.notSaved(sanitizeLine(event.message))];
    case "turned-away":
    case "shut-out": // Told once, with what follows from it; see modes/peer/put-out.ts.
    case "inserted":
    case "members":
    case "topic":
    case "holdings":
    case "fault":
    case "transfer": // Told in the screens' own words; see modes/files.
      return [];
  }
}

/** What a person should not overlook. */
export function isWarning(event: NodeEvent): boolean {
  const warnings: readonly NodeEvent["type"][] = [
    "dial-failed",
    "key-changed",
    "forked",
    "clock-skew",
    "store-failed",
    "lan-failed",
  ];
  return warnings.includes(event.type) || (event.type === "admitted" && event.learned === "first-use");
}

function admittedLines(peerId: PeerId, invited: boolean, look: Look, words: PeerWords): string[] {
  const name = nameOf(peerId, look);
  if (invited) return [words.invited(name)];
  const id = words.admittedId(formatPeerId(peerId));
  return [words.admitted(name), `  ${id}`, `  ${words.admittedHint(name.replace(/\?$/, ""))}`];
}

function keyChangedLines(address: Address, known: PeerId, found: PeerId, words: PeerWords): string[] {
  return [
    words.keyChanged(formatAddress(address)),
    `  ${words.keyKnown(formatPeerId(known))}`,
    `  ${words.keyNow(formatPeerId(found))}`,
    `  ${words.keyForget(formatAddress(address))}`,
  ];
}

/** A failure in words: our sentence, and what they said or the system said where it adds something. */
export function failureWords(
  { code, detail }: LinkFailure,
  { failures }: Pick<PeerWords, "failures">,
): string {
  const english = explainFailure(code);
  const sentence = Object.hasOwn(failures, code) ? (failures[code] ?? english) : english;
  const more = sanitizeLine(detail);
  return more === "" || more.includes(english) || english === more ? sentence : `${sentence} (${more})`;
}

/** `/peers`. */
export function peerLines(peers: readonly PeerView[], look: Look, words: PeerWords): string[] {
  const present = peers.filter(({ removedBy }) => removedBy === undefined);
  const rows = present.map((peer) => [
    plainName(peer),
    peer.presence === "self" ? words.you : trustWords(peer, words),
    reachWords(peer, look, words),
    formatPeerId(peer.peerId),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
}

function trustWords(peer: PeerView, words: PeerWords): string {
  if (peer.known?.verifiedAt !== undefined) return words.verified;
  return isTrusted(peer) ? words.byInvite : words.notVerified;
}

function reachWords(peer: PeerView, look: Look, words: PeerWords): string {
  switch (peer.presence) {
    case "self":
      return "";
    case "linked": {
      const roundTrip =
        peer.roundTripMs === undefined
          ? ""
          : `, ${peer.roundTripMs.toFixed(peer.roundTripMs < 10 ? 1 : 0)} ms`;
      return `${peer.path === undefined ? words.connected : words.paths[peer.path]}${roundTrip}`;
    }
    case "via":
      return words.through(peer.via.map((id) => nameOf(id, look)).join(", "));
    case "away":
      return words.away;
  }
}

/** `/why`. */
export function whyLines(why: Why, words: PeerWords): string[] {
  const tried = why.attempts.filter(({ lastFailure }) => lastFailure !== undefined);
  const lines = [
    ...tried.map((attempts) => attemptLine(attempts, words)),
    ...why.turnedAway.map((one) => turnedAwayLine(one, words)),
    ...why.faults.map(
      ({ detail, at, times }) =>
        `  ${timeOfDay(at, words)} ${sanitizeLine(detail)}${times > 1 ? ` (${words.times(times)})` : ""}`,
    ),
  ];
  return lines.length === 0 ? [words.nothingWrong] : lines;
}

function attemptLine({ target, lastFailure, lastAt, failures }: Attempts, words: PeerWords): string {
  const again = failures === 0 ? words.workedSince : words.failuresInARow(failures);
  const why = lastFailure === undefined ? "" : failureWords(lastFailure, words);
  return `  ${timeOfDay(lastAt ?? 0, words)} ${formatAddress(target.address)}: ${why} [${again}]`;
}

function turnedAwayLine({ remote, failure, at }: TurnedAway, words: PeerWords): string {
  const failures = { ...words.failures, ...words.knocks };
  return `  ${timeOfDay(at, words)} ${words.from(formatAddress(remote))}: ${failureWords(failure, { failures })}`;
}
