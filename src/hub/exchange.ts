/** One request on its way to its answer: what a handler is given to work with. */
import type { BackplaneFailure } from "../backplane/backplane.ts";
import { errorKinds } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ServerMessage } from "../protocol/messages.ts";
import type { Core } from "./core.ts";
import { encodeError, encodeLine } from "./encode.ts";
import type { Give, Slot } from "./request-queue.ts";
import type { ReadLine, Session } from "./session.ts";

const logUnavailable =
  "the server cannot use its message log at the moment; try again (whoever runs it finds the reason in its log)";

/** Exactly one of `answer`, `bytes`, `refuse` and `fail` ends it; after the connection closed all of them do nothing. */
export class Exchange {
  readonly core: Core;
  readonly session: Session;
  readonly slot: Slot<ReadLine>;
  /** The request's id, if it had one: to be repeated in the answer. */
  readonly id: string | undefined;

  constructor(core: Core, session: Session, slot: Slot<ReadLine>, id: string | undefined) {
    this.core = core;
    this.session = session;
    this.slot = slot;
    this.id = id;
  }

  /** @param give see {@link Slot.finish} */
  answer(message: ServerMessage, give?: Give): void {
    this.slot.finish(encodeLine(message), give);
  }

  /** Answers with lines encoded elsewhere. */
  bytes(lines: Uint8Array, give?: Give): void {
    this.slot.finish(lines, give);
  }

  /** Answers with an error, and closes the connection if that is what the code means. */
  refuse(code: ErrorCode, message: string, value?: string, afterMs?: number): void {
    this.slot.finish(encodeError(code, message, this.id, { value, afterMs }));
    if (!errorKinds[code].closes) return;
    this.session.flush();
    this.session.hangUp(code);
  }

  /**
   * Answers with what the backplane refused. Why the log cannot be used names files, hosts and what the machine lacks:
   * that is for whoever runs the server, who has it from the health reports, and not for everybody who may connect.
   */
  fail({ code, message, value }: BackplaneFailure): void {
    if (code === "unavailable") this.refuse(code, logUnavailable);
    else this.refuse(code === "stale" ? "replaced" : code, message, value);
  }
}
