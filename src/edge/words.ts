/** The few lines an edge says by itself, encoded. Everything else that reaches a client was written by a hub. */
import type { ErrorCode } from "../protocol/errors.ts";
import type { ErrorMessage, GoingAway, Notice } from "../protocol/messages.ts";

function encode(message: ErrorMessage | GoingAway | Notice): Uint8Array {
  return Buffer.from(`${JSON.stringify(message)}\n`);
}

/** Why something does not go on. */
export function errorLine(code: ErrorCode, message: string): Uint8Array {
  return encode({ type: "error", code, message });
}

/** For people: see Notice. */
export function noticeLine(code: Notice["code"], message: string): Uint8Array {
  return encode({ type: "notice", code, message });
}

/** Reconnect after `afterMs` and a random part of `jitterMs`. */
export function goingAwayLine(afterMs: number, jitterMs: number): Uint8Array {
  return encode({ type: "going-away", afterMs, jitterMs });
}
