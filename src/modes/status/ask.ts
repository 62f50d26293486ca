/** Asks an admin endpoint, and says clearly why there is no answer. */
import type { z } from "zod";
import { backendListSchema, problemSchema, statsSchema } from "../../admin/schemas.ts";
import type { Snapshot } from "../../balancer/view.ts";
import { Failure } from "../../cli/errors.ts";
import { isLoopback } from "../../protocol/address.ts";

/** Longer than any balancer on the same continent needs, shorter than a person's patience. */
const TIMEOUT_MS = 5_000;

/**
 * The figures of the balancer behind `endpoint`.
 * @throws Failure
 */
export async function askBalancer(endpoint: URL, token: string | undefined): Promise<Snapshot> {
  passProxiesBy(endpoint.hostname.replace(/^\[|\]$/g, ""));
  const [stats, list] = await Promise.all([
    get(endpoint, "api/v1/stats", statsSchema, token),
    get(endpoint, "api/v1/backends", backendListSchema, token),
  ]);
  return { ...stats, backends: list.backends };
}

/** A proxy is elsewhere: what it calls 127.0.0.1 is not this machine, and the token is not for it. */
function passProxiesBy(host: string): void {
  if (!isLoopback(host)) return;
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const others = process.env[name] ?? "";
    process.env[name] = others === "" ? host : `${others},${host}`;
  }
}

async function get<T>(
  endpoint: URL,
  path: string,
  schema: z.ZodType<T>,
  token: string | undefined,
): Promise<T> {
  const url = new URL(path, endpoint.href.endsWith("/") ? endpoint : `${endpoint.href}/`);
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(url, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: "error",
    });
    body = await response.json();
  } catch (error) {
    throw new Failure(
      `no balancer answers at ${endpoint.origin}`,
      "start one with: rtchat up; or name its admin endpoint with --admin",
      { cause: error },
    );
  }
  if (response.status === 401) {
    const problem = token === undefined ? "asks for a token" : "does not accept this token";
    throw new Failure(
      `the balancer at ${endpoint.origin} ${problem}`,
      "give it with --admin-token or RTCHAT_ADMIN_TOKEN",
    );
  }
  if (!response.ok) {
    const known = problemSchema.safeParse(body);
    if (known.success)
      throw new Failure(`the balancer at ${endpoint.origin} refuses: ${known.data.error.message}`);
    throw new Failure(
      `what answers at ${endpoint.origin} is no admin endpoint of a balancer (status ${response.status})`,
      "name one with --admin; rtchat up and rtchat balancer have theirs on port 8080",
    );
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new Failure(
    `what answers at ${endpoint.origin} is no balancer of this version of rtchat`,
    "check the address, and run the same rtchat on both sides",
  );
}
