/** The certificate for clients in one line, for the health document, the dashboard and `rtchat status`. */
import type { Snapshot } from "../balancer/view.ts";
import { type ValidityState, validityState } from "../protocol/validity.ts";
import { formatDuration, secondsBetween } from "./dashboard/format.ts";

/** What there is to say of it. */
interface CertificateReport {
  readonly state: ValidityState;
  /** Until it ends; negative when it has. */
  readonly seconds: number;
  readonly text: string;
}

/** Undefined without TLS. */
export function certificateReport({ certificate, at }: Snapshot): CertificateReport | undefined {
  if (certificate === null) return undefined;
  const state = validityState(certificate, Date.parse(at));
  const seconds = Math.round(secondsBetween(at, certificate.notAfter));
  const day = certificate.notAfter.slice(0, 10);
  const texts = {
    good: `certificate until ${day}, ${formatDuration(seconds)} from now`,
    ending: `the certificate ends on ${day}, in ${formatDuration(seconds)}; renew it`,
    ended: `the certificate ended on ${day}, clients refuse it; renew it`,
  };
  return { state, seconds, text: texts[state] };
}
