/** Flags that several modes share, declared once so that they mean the same everywhere. */
import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { type Environment, flag, toggle } from "../../cli/flag.ts";
import { addressSchema, hostSchema, pathSchema } from "../../cli/schemas.ts";
import { homeFolder } from "../../cli/settings.ts";
import { parseNick } from "../../protocol/names.ts";

/** Port people connect to: the balancer's. */
export const chatPort = 8000;
/** Port peers listen on. */
export const peerPort = 5002;

/**
 * `$XDG_DATA_HOME/rtchat`, by default `~/.local/share/rtchat`; a relative XDG_DATA_HOME is ignored
 * (https://specifications.freedesktop.org/basedir-spec/latest/).
 */
function defaultDataFolder(environment: Environment): string {
  const base = environment["XDG_DATA_HOME"] ?? "";
  return join(isAbsolute(base) ? base : join(homeFolder(environment), ".local", "share"), "rtchat");
}

/** The login name where it can be a nick, else `guest`. */
export function loginNick(environment: Environment): string {
  try {
    return parseNick(environment["USER"] ?? environment["USERNAME"] ?? "guest");
  } catch {
    return "guest";
  }
}

/** Where a mode keeps what must survive it. @param summary what that is */
export const dataFlagFor = (summary: string) =>
  flag(pathSchema, {
    hint: "DIR",
    summary,
    fallback: defaultDataFolder,
    fallbackShown: "$XDG_DATA_HOME/rtchat or ~/.local/share/rtchat",
    completes: "folder",
  });

/** The data folder of a cluster. */
export const dataFlag = dataFlagFor(
  "keep messages and keys in this folder; servers that share it form one cluster",
);

/**
 * The downloads folder of the desktop as xdg-user-dirs names it, by default `~/Downloads`
 * (https://www.freedesktop.org/wiki/Software/xdg-user-dirs/).
 */
function defaultDownloads(environment: Environment): string {
  const home = homeFolder(environment);
  const fallback = join(home, "Downloads");
  const base = environment["XDG_CONFIG_HOME"] ?? "";
  const path = join(isAbsolute(base) ? base : join(home, ".config"), "user-dirs.dirs");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return fallback; // No desktop, or one that names no folders.
  }
  const named = /^\s*XDG_DOWNLOAD_DIR="([^"]+)"/m.exec(text)?.[1]?.replace(/^\$HOME(?=\/|$)/, () => home);
  return named !== undefined && isAbsolute(named) ? named : fallback;
}

/** Where files that somebody sends go. */
export const downloadsFlag = flag(pathSchema, {
  hint: "DIR",
  summary: "put files that somebody sends you into this folder",
  fallback: defaultDownloads,
  fallbackShown: "your desktop's downloads folder or ~/Downloads",
  completes: "folder",
});

/** What balancers and servers of one cluster know and nobody else does. */
export const clusterSecretFlag = flag(pathSchema, {
  hint: "FILE",
  summary:
    "take the secret of balancers and servers from this file, copied to every machine (default: one made in the data folder)",
  completes: "file",
});

/** What operators of a chat know. @param summary what for */
export const operatorSecretFlag = (summary: string) =>
  flag(pathSchema, { hint: "FILE", summary, completes: "file" });

/** TLS for clients. */
export const tlsFlags = {
  tlsCert: flag(pathSchema, {
    hint: "FILE",
    summary:
      "take clients with TLS too, with this certificate (PEM, with its chain); read again when it changes",
    completes: "file",
  }),
  tlsKey: flag(pathSchema, {
    hint: "FILE",
    summary: "the certificate's private key (PEM)",
    completes: "file",
  }),
  tlsOnly: toggle({ summary: "refuse clients without TLS" }),
};

/** The network interface to listen on. */
export const hostFlag = flag(hostSchema, {
  hint: "HOST",
  summary: "listen on this address; 0.0.0.0 is all of this machine's",
  fallback: "127.0.0.1",
});

/** The balancer's admin endpoint. */
export const adminFlag = flag(addressSchema(), {
  hint: "[HOST:]PORT",
  summary: "serve the HTTP admin endpoint here",
  fallback: "8080",
  negative: "serve no admin endpoint",
});
