/** What the parts of the admin endpoint share. */
import type { BalancerControl, BalancerView, Outcome } from "../balancer/view.ts";
import type { Clock } from "../protocol/clock.ts";
import type { Logger } from "../protocol/logger.ts";

/** What the endpoint shows and steers, and how it is protected. */
export interface AdminOptions {
  readonly view: BalancerView;
  readonly control: BalancerControl;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly token?: string | undefined;
  /** Host names, beside addresses and localhost, by which the endpoint may be called. */
  readonly hostNames?: readonly string[];
}

/** Hono's types for our app: what the server passes in, what the guard leaves for the routes. */
export interface AdminEnv {
  Bindings: { readonly address?: string };
  Variables: { signedIn: boolean };
}

/** The body of every error. */
export function problem(code: string, message: string): { error: { code: string; message: string } } {
  return { error: { code, message } };
}

/** HTTP status of a refused wish. */
export function statusOf(outcome: Extract<Outcome, { ok: false }>): 400 | 404 | 409 {
  switch (outcome.problem) {
    case "not-found":
      return 404;
    case "conflict":
      return 409;
    case "invalid":
      return 400;
  }
}
