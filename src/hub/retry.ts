/**
 * Trying again what the backplane could not do now.
 *
 * For a session that was handed over there is nobody to tell `unavailable` to: its client has asked for nothing. So the
 * hub repeats each step, with backoff and jitter, until it is done, the session is gone, or it has taken too long.
 */
import type { BackplaneFailure } from "../backplane/backplane.ts";
import type { Core } from "./core.ts";
import type { Session } from "./session.ts";

type Result = { readonly ok: true } | BackplaneFailure;

/**
 * Runs `attempt` until it succeeds, fails as anything but `unavailable`, or `resumeMs` are over.
 * @param done gets the last result; also when the session has ended meanwhile, after which nothing more is tried
 */
export function persist<T extends Result>(
  core: Core,
  session: Session,
  attempt: (done: (result: T | BackplaneFailure) => void) => void,
  done: (result: T | BackplaneFailure) => void,
): void {
  const { resumeMs, retryMs, retryMostMs } = core.limits;
  const end = core.clock.monotonic() + resumeMs;
  let delay = retryMs;
  const tryOnce = (): void => {
    attempt((result) => {
      const again = !result.ok && result.code === "unavailable" && !session.closed;
      if (!again || core.clock.monotonic() >= end) {
        done(result);
        return;
      }
      core.clock.after(delay * (0.5 + core.random() / 2), () => {
        if (session.closed) done(result);
        else tryOnce();
      });
      delay = Math.min(delay * 2, retryMostMs);
    });
  };
  tryOnce();
}
