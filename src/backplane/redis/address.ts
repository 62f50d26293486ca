/**
 * What `--backplane redis://…` may say.
 *
 *   redis[s]://[[user]:password@]host[:port][,host[:port]…][/database][?ca=FILE&prefix=NAME]
 *
 * Several hosts are entry points of one Redis Cluster. Whether there is a Cluster is asked of the server itself, so one
 * of its hosts is enough. Several rtchat clusters can share a store under different prefixes.
 */
import { readFileSync } from "node:fs";
import { quote } from "../../protocol/names.ts";

/** One store, as its operator names it. */
export interface RedisAddress {
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
  /** PEM of the certificate authority, beside those the system trusts. */
  readonly ca: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** Begins all keys and channels. */
  readonly prefix: string;
  /** For messages and logs: without the password. */
  readonly shown: string;
}

/** Why an address cannot be used. Never has the password in it. */
export class RedisAddressError extends Error {
  override readonly name = "RedisAddressError";
}

const WHOLE = /^(rediss?):\/\/(?:(?:([^:@/]*))?(?::([^@/]*))?@)?([^/?#@]+)(?:\/(\d*))?(?:\?([^#]*))?$/;
const HOST = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;

function unescape(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RedisAddressError(`the ${what} in the redis:// address has a stray "%"; write it as "%25"`);
  }
}

/**
 * Reads an address.
 * @throws RedisAddressError
 */
export function parseRedisAddress(text: string): RedisAddress {
  const match = WHOLE.exec(text);
  if (match === null) {
    throw new RedisAddressError(
      "the backplane's address is not usable; write redis://host:6379, or rediss://user:password@host:6379/0 for TLS",
    );
  }
  const [, scheme = "", user, password, hostList = "", database = "", query = ""] = match;
  const hosts = hostList.split(",").map((part) => {
    const found = HOST.exec(part);
    const port = Number(found?.[2] ?? 6379);
    if (found?.[1] === undefined || port < 1 || port > 65_535) {
      // Where the host was forgotten this is a user and a password.
      const what = found === null && part.includes(":") ? "a host" : quote(part);
      throw new RedisAddressError(
        `${what} in the redis:// address is no host and port; write host:6379 or [v6]:6379`,
      );
    }
    return { host: found[1].replace(/^\[|\]$/g, ""), port };
  });
  const tls = scheme === "rediss";
  const options = readQuery(query);
  return {
    hosts,
    tls,
    ca: readAuthority(options.get("ca"), tls),
    username: user === undefined || user === "" ? undefined : unescape(user, "user"),
    password: password === undefined || password === "" ? undefined : unescape(password, "password"),
    database: Number(database === "" ? 0 : database),
    prefix: readPrefix(options.get("prefix")),
    shown: `${scheme}://${hostList}${database === "" ? "" : `/${database}`}`,
  };
}

function readQuery(text: string): URLSearchParams {
  const query = new URLSearchParams(text);
  for (const name of query.keys()) {
    if (name === "ca" || name === "prefix") continue;
    throw new RedisAddressError(
      `${quote(name)} in the redis:// address is not known; only ?ca=FILE and ?prefix=NAME are`,
    );
  }
  return query;
}

function readPrefix(prefix: string | null): string {
  if (prefix === null) return "rtchat";
  if (/^[A-Za-z0-9_.-]{1,64}$/.test(prefix)) return prefix;
  throw new RedisAddressError(`the prefix ${quote(prefix)} is not usable; use 1 to 64 of A-Z a-z 0-9 _ . -`);
}

function readAuthority(file: string | null, tls: boolean): string | undefined {
  if (file === null) return undefined;
  if (!tls) throw new RedisAddressError("?ca=FILE is for TLS; write rediss:// for it");
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new RedisAddressError(
      `cannot read the certificate authority ${quote(file)} (${code}); check the path`,
    );
  }
}
