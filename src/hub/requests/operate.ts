/**
 * `operator`, `kick`, `ban`, `unban`, `bans`: whoever runs the chat puts people out.
 *
 * An operator is a session that has said the operators' secret; it stays one wherever it is moved. What they do is carried
 * out by the server that has the other session (put-out.ts) and by all servers that follow the bans (bans.ts).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { ProtocolError } from "../../protocol/errors.ts";
import { operatorLimits } from "../../protocol/limits.operators.ts";
import { parseNick, quote } from "../../protocol/names.ts";
import { contains, parseNetwork, type Network } from "../../protocol/network.ts";
import { checkTopic } from "../../protocol/texts.ts";
import { withId } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import { hostOf } from "../origin.ts";
import { banRecord, setBan, type Out } from "../put-out.ts";
import type { Session } from "../session.ts";
import { sendWord } from "../words.ts";
import type { RequestHandler } from "./handler.ts";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

export const operator: RequestHandler<"operator"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, { secret }) {
    const { core, session, id } = exchange;
    const { operatorSecret, logger } = core;
    if (operatorSecret === undefined) {
      throw new ProtocolError(
        "forbidden",
        "this server has no operators; whoever runs it gives them a secret with --operator-secret-file",
      );
    }
    // Digests are equally long, whatever was said.
    if (!timingSafeEqual(digest(secret), digest(operatorSecret))) {
      logger.warn("somebody said a wrong operators' secret", {
        nick: session.nick,
        from: session.origin.address,
      });
      session.wrongSecrets += 1;
      if (session.wrongSecrets < operatorLimits.wrongSecrets) {
        throw new ProtocolError("forbidden", "that is not the operators' secret");
      }
      session.close("kicked", "too many wrong secrets; ask whoever runs the server for the right one");
      return;
    }
    if (!session.operator) {
      logger.info("an operator is here", { nick: session.nick, from: session.origin.address });
      session.setOperator();
    }
    exchange.answer({ type: "operator", ...withId(id) });
  },
};

function requireOperator(session: Session): void {
  if (session.operator) return;
  throw new ProtocolError("forbidden", "only operators may do this; say operator with their secret before");
}

/** @throws ProtocolError `bad-text` */
const reasonOf = (text: string | undefined): string | undefined =>
  text === undefined || text === "" ? undefined : checkTopic(text);

/** Puts out whoever has a nick, wherever they are, and then answers. */
function out(exchange: Exchange, written: string, what: Out, answer: (nick: string) => void): void {
  const { core, session } = exchange;
  const wanted = parseNick(written);
  core.backplane.lookup(wanted, (result) => {
    if (!result.ok) {
      exchange.fail(result);
      return;
    }
    const { member } = result;
    if (member === undefined) {
      exchange.refuse("no-such-nick", `nobody called ${quote(wanted)} is connected`, wanted);
      return;
    }
    const ban = what.ban !== undefined;
    core.logger.info("an operator puts somebody out", { nick: member.nick, by: session.nick, ban });
    // An operator who puts out themselves is told so before.
    answer(member.nick);
    sendWord(core, member.session, { out: what });
  });
}

export const kick: RequestHandler<"kick"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, { nick, reason }) {
    requireOperator(exchange.session);
    const words = reasonOf(reason);
    out(exchange, nick, words === undefined ? {} : { reason: words }, (shown) => {
      exchange.answer({ type: "kick", ...withId(exchange.id), nick: shown });
    });
  },
};

export const ban: RequestHandler<"ban"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, { who, seconds, reason }) {
    const { core, session, slot, id } = exchange;
    requireOperator(session);
    const words = reasonOf(reason);
    const by = session.nick;
    const spared = hostOf(session.origin.address);
    const once = `${session.origin.connection}#${slot.line}`;
    const answer = (shown: string): void => exchange.answer({ type: "ban", ...withId(id), who: shown });
    const network = parseNetwork(who);
    if (
      core.bans.list().length >= operatorLimits.bans &&
      (network === undefined || !core.bans.has(network))
    ) {
      const most = String(operatorLimits.bans);
      throw new ProtocolError(
        "not-banned",
        `${most} bans hold already; lift some, or ban a larger network`,
        most,
      );
    }
    if (network === undefined) {
      // No nick has such characters.
      if (/[.:/]/.test(who)) {
        const how = "write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32";
        throw new ProtocolError("not-banned", `${quote(who)} is no address and no network; ${how}`, who);
      }
      const how = { by, spared, once, ...(seconds === undefined ? {} : { seconds }) };
      out(exchange, who, { ban: how, ...(words === undefined ? {} : { reason: words }) }, answer);
      return;
    }
    checkNetwork(network, spared);
    setBan(core, session, network, banRecord(core, { by, seconds, reason: words }), once, (result) => {
      if (!result.ok) {
        exchange.fail(result);
        return;
      }
      core.logger.info("an operator bans a network", { network: network.text, by });
      answer(network.text);
    });
  },
};

/** @throws ProtocolError `not-banned` */
function checkNetwork(network: Network, own: string): void {
  const { text, family, length } = network;
  const least = operatorLimits.networkBits[family];
  if (length < least) {
    throw new ProtocolError("not-banned", `${text} is too large; ban at most a /${least} at once`, text);
  }
  if (contains(network, own)) {
    throw new ProtocolError("not-banned", `${text} has your own address, ${own}; nobody was banned`, text);
  }
}

export const unban: RequestHandler<"unban"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, { address }) {
    const { core, session, slot, id } = exchange;
    requireOperator(session);
    const network = parseNetwork(address);
    if (network === undefined || !core.bans.has(network)) {
      throw new ProtocolError(
        "no-such-ban",
        `${quote(address)} is not banned; bans lists those that are`,
        address,
      );
    }
    setBan(core, session, network, null, `${session.origin.connection}#${slot.line}`, (result) => {
      if (!result.ok) {
        exchange.fail(result);
        return;
      }
      core.logger.info("an operator lifts a ban", { network: network.text, by: session.nick });
      exchange.answer({ type: "unban", ...withId(id), address: network.text });
    });
  },
};

export const bans: RequestHandler<"bans"> = {
  order: "exclusive",
  cost: "request",
  run(exchange) {
    const { core, session, id } = exchange;
    requireOperator(session);
    exchange.answer({ type: "bans", ...withId(id), bans: core.bans.list() });
  },
};
