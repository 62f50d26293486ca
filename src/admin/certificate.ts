/**
 * A certificate for clients in one line, the balancer's own or a server's, for the health document, the dashboard and
 * `rtchat status`.
 */
import { type Validity, type ValidityState, validityState } from "../protocol/validity.ts";
import { formatDuration, secondsBetween } from "./dashboard/format.ts";

/** What there is to say of it. */
interface CertificateReport {
  readonly state: ValidityState;
  /** Until it ends; negative when it has. */
  readonly seconds: number;
  readonly text: string;
}

/** Undefined without TLS. @param at the time of the picture that it is shown in */
export function certificateReport(certificate: Validity | null, at: string): CertificateReport | undefined {
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
