/**
 * How a command ends badly, in two kinds: it was called wrongly (exit 2), or it could not do what was asked (exit 1).
 * Both messages follow one form: what happened, with which value; the hint says what to do next. Everything else that
 * is thrown is a fault of rtchat and is shown with its stack.
 */

/** The exit codes of every command; `brokenPipe` is what a shell reports for a program that SIGPIPE ended. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, brokenPipe: 141 } as const;

/** The command cannot do what was asked: exit 1. */
export class Failure extends Error {
  override readonly name: string = "Failure";
  readonly exitCode: number = exitCodes.failure;
  /** What to do next, or "" where the message says it. */
  readonly hint: string;

  /** @param message what happened, with which value; no final full stop */
  constructor(message: string, hint = "", options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** The command was called wrongly: exit 2. */
export class UsageError extends Failure {
  override readonly name = "UsageError";
  override readonly exitCode = exitCodes.usage;
}

/** Errors of the operating system that a person can do something about. `what` is the address, file or folder. */
const systemHints: Readonly<Record<string, (what: string) => readonly [message: string, hint: string]>> = {
  EACCES: (what) => [
    `no permission for ${what || "what was asked"}`,
    "choose another place, or change its permissions",
  ],
  EPERM: (what) => [
    `no permission for ${what || "what was asked"}`,
    "choose another place, or change its permissions",
  ],
  ENOSPC: (what) => [
    `no space is left on the disk${what && ` for ${what}`}`,
    "free some, or choose another --data folder",
  ],
  EROFS: (what) => [`${what || "the folder"} is on a read-only file system`, "choose another --data folder"],
  ENOTDIR: (what) => [`${what || "a part of the path"} is not a folder`, "choose another --data folder"],
  EISDIR: (what) => [`${what || "the path"} is a folder`, "name a file"],
  ENOENT: (what) => [`${what || "a file"} does not exist`, ""],
  ECONNREFUSED: (what) => [
    `nothing listens at ${what || "that address"}`,
    "check the address, and that it is running",
  ],
  EMFILE: () => ["this process has no file descriptors left", "raise the limit: ulimit -n 20000"],
};

/**
 * A system error ({@link https://nodejs.org/api/errors.html#class-systemerror | with a code}) as a {@link Failure} a
 * person can act on; undefined for codes nobody can act on.
 * @param what the address, file or folder the action was about
 */
export function explainSystemError(error: unknown, what = ""): Failure | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  const path = what === "" && "path" in error && typeof error.path === "string" ? error.path : what;
  const explanation = Object.hasOwn(systemHints, error.code) ? systemHints[error.code] : undefined;
  return explanation && new Failure(...explanation(path), { cause: error });
}

/**
 * Why nothing can listen at an address, with the flag that chooses another; undefined for codes nobody can act on.
 * @param at as a person writes it: `127.0.0.1:8000`
 * @param flag that names the port: `--port`
 * @param code the system's
 */
export function cannotListen(at: string, flag: string, code: string | undefined): Failure | undefined {
  const failure = (why: string, hint: string) => new Failure(`cannot listen on ${at}: ${why}`, hint);
  switch (code) {
    case "EADDRINUSE":
      return failure(
        "another process does",
        `stop that process (ss -ltnp shows it), or choose another port with ${flag}`,
      );
    case "EADDRNOTAVAIL":
      return failure("this machine has no such address", "see ip address for those that it has");
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return failure("the host name does not resolve", "check its spelling, or write an IP address");
    case "EACCES":
    case "EPERM":
      return failure("not permitted", `choose a port above 1023 with ${flag}`);
    default:
      return undefined;
  }
}
