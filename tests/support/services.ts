/**
 * Programs that some tests need and not every machine has.
 *
 *     const redis = findService("redis-server");
 *     test.skipIf(redis === undefined)("…", () => spawn(redis!, …));
 *
 * Where the program is missing the tests are skipped, and the line printed says how to get it. With
 * RTCHAT_TEST_REQUIRE_SERVICES=1, which scripts/test sets in CI, a missing program is an error instead.
 */

/** The programs we know, with the Debian package of each. */
const packages = {
  "redis-server": "redis-server",
  chromium: "chromium",
  ip: "iproute2",
  tmux: "tmux",
  nc: "netcat-openbsd",
  strace: "strace",
  bash: "bash",
  zsh: "zsh",
  fish: "fish",
} as const;

/** A program from {@link packages}. */
export type Service = keyof typeof packages;

/**
 * Path of a program: what RTCHAT_TEST_<NAME> says (as RTCHAT_TEST_REDIS_SERVER), else what PATH has; undefined where the
 * tests are to be skipped.
 * @throws Error where it is missing and services are required
 */
export function findService(service: Service): string | undefined {
  const variable = `RTCHAT_TEST_${service.toUpperCase().replaceAll("-", "_")}`;
  const given = process.env[variable] ?? "";
  const path = Bun.which(given === "" ? service : given);
  if (path !== null) return path;
  const advice = `${service} is not installed: install the Debian package ${packages[service]}, or set ${variable} to its path`;
  if (process.env["RTCHAT_TEST_REQUIRE_SERVICES"] === "1") throw new Error(advice);
  console.warn(`tests skipped: ${advice}`);
  return undefined;
}
