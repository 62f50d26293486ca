/** What the modes that talk to a server have in common: a client as the flags say, and its language. */
import { version } from "../../../package.json";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { explainSystemError, Failure, UsageError } from "../../cli/errors.ts";
import type { Environment } from "../../cli/flag.ts";
import { Client } from "../../client/client.ts";
import { netDial } from "../../client/net-dial.ts";
import { formatServer, parseServerList } from "../../protocol/address.ts";
import type { ServerAddress } from "../../protocol/address.ts";
import type { TlsTrust } from "../../net/tls-trust.ts";
import { systemClock } from "../../protocol/clock.ts";
import { pipeLimits } from "../../protocol/limits.client.ts";
import { untilJoined } from "../../tui/archive/pages.ts";
import { reasonIn, wordsFor } from "../../tui/language/words.ts";
import type { Words } from "../../tui/language/words.ts";
import { chatPort } from "../flags/common.ts";
import type { Memory } from "./memory.ts";

/** The language that was asked for, else what the environment says, in the order of POSIX. */
export function wordsOf(lang: string | undefined, environment: Environment): Words {
  const named = ["LC_ALL", "LC_MESSAGES", "LANG"].map((name) => environment[name]).find((value) => value);
  return wordsFor(lang ?? named);
}

/** What the flags say of where to connect. */
interface Wanted {
  readonly connect: readonly ServerAddress[] | undefined;
  readonly tls: boolean;
  readonly tlsCa: string | undefined;
  readonly tlsPin: string | undefined;
}

/** Where to connect, and whom to believe there. */
export interface Way {
  readonly addresses: readonly ServerAddress[];
  readonly trust: TlsTrust;
}

/**
 * The way to a server: as said, else as last time, else this machine.
 * @throws UsageError, Failure
 */
export function wayTo(wanted: Wanted, memory: Memory): Way {
  const said = wanted.connect ?? remembered(memory) ?? [{ host: "127.0.0.1", port: chatPort }];
  const addresses = wanted.tls ? said.map((address) => ({ ...address, tls: true as const })) : said;
  return { addresses, trust: trustOf(wanted, addresses) };
}

function remembered(memory: Memory): readonly ServerAddress[] | undefined {
  try {
    return memory.connect === undefined ? undefined : parseServerList(memory.connect);
  } catch {
    // Written by another version, or by hand.
    return undefined;
  }
}

/** Who names an authority or a fingerprint wants it to be looked at: without TLS that is a mistake. */
function trustOf({ tlsCa, tlsPin }: Wanted, addresses: readonly ServerAddress[]): TlsTrust {
  const given = tlsCa === undefined ? (tlsPin === undefined ? undefined : "--tls-pin") : "--tls-ca";
  if (given === undefined) return {};
  const plain = addresses.find(({ tls }) => tls !== true);
  if (plain !== undefined) {
    throw new UsageError(`${given} is given, and ${formatServer(plain)} is without TLS`, "add --tls");
  }
  if (tlsCa === undefined) return { pin: tlsPin };
  try {
    const ca = readFileSync(tlsCa, "utf8");
    // Throws for what is none.
    void new X509Certificate(ca);
    return { ca, pin: tlsPin };
  } catch (error) {
    const known = explainSystemError(error, tlsCa);
    const what = known?.message ?? `${tlsCa} is not a certificate; give a PEM file`;
    throw new Failure(`--tls-ca: ${what}`, "", { cause: error });
  }
}

/** Addresses as {@link wayTo} reads them again. */
export function writeAddresses(addresses: readonly ServerAddress[]): string {
  return addresses.map((address) => formatServer(address)).join(",");
}

/** Who a client is for: a person with what this device remembers, or a program. */
interface For {
  /** Whose messages these are, so that they can be edited later. */
  readonly memory?: Memory | undefined;
  readonly bot?: boolean | undefined;
}

/** A client, not connected yet. */
export function makeClient({ addresses, trust }: Way, nick: string, { memory, bot }: For): Client {
  // Unique over all runs of all programs of this session: 40 random bits, then a count.
  const run = Buffer.from(crypto.getRandomValues(new Uint8Array(5))).toString("hex");
  let count = 0;
  return new Client({
    addresses,
    nick,
    client: `rtchat/${version}`,
    bot,
    dial: netDial(systemClock, trust),
    clock: systemClock,
    random: Math.random,
    newId: () => {
      count += 1;
      return `${run}-${count}`;
    },
    ...(memory === undefined
      ? {}
      : {
          author: (cluster: string) => memory.author(cluster),
          reader: (cluster: string) => memory.reader(cluster),
        }),
  });
}

/** `nick` with a suffix that nobody has: for programs that nobody talks to. */
export function nickWithSuffix(nick: string): string {
  const suffix = Buffer.from(crypto.getRandomValues(new Uint8Array(3))).toString("hex");
  return `${[...nick].slice(0, 25).join("")}-${suffix}`;
}

/**
 * Connects, and resolves in the room.
 * @throws Failure if no server could be reached in time
 * @throws ArchiveError if it refuses
 */
export async function untilConnected(client: Client, room: string, words: Words): Promise<void> {
  const late = Promise.withResolvers<never>();
  const giveUpAfter = (ms: number, otherwise: string) =>
    systemClock.after(ms, () => {
      const { connection } = client;
      const address = "address" in connection ? connection.address : "";
      const reason = "reason" in connection ? reasonIn(words, connection) : otherwise;
      // A server that is there: the client itself gives up when the nick stays taken.
      if (connection.state === "online" || ("code" in connection && connection.code === "nick-taken")) return;
      late.reject(new Failure(words.pipeOffline(address, reason), words.startOne));
    });
  const { firstConnectMs, offlineMs } = pipeLimits;
  let timer = giveUpAfter(firstConnectMs, words.noAnswer(words.seconds(String(firstConnectMs / 1_000))));
  const unheard = client.on((event) => {
    if (event.kind !== "received" || event.message.type !== "notice" || event.message.code !== "holding")
      return;
    // A balancer keeps our place until a server is there again.
    timer.stop();
    timer = giveUpAfter(offlineMs, words.held);
  });
  client.session.join(room, 0);
  client.connect();
  try {
    await Promise.race([untilJoined(client, room), late.promise]);
  } finally {
    unheard();
    timer.stop();
  }
}
