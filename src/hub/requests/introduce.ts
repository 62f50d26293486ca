/**
 * `introduce` and `relay`: two people find a path of their own, and the server carries sealed bytes when there is none.
 *
 * Nothing is kept here of who asked whom: a word goes to the hub of the other session, which tells the other's client,
 * and that client alone knows whether its person has agreed. What an agreement allows is in a signed pass (pass.ts), so
 * both requests work across servers and across hand-overs. The bytes are never looked at, kept or logged.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import { nameKey, parseNick } from "../../protocol/names.ts";
import { withId } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import { hostOf } from "../origin.ts";
import { makePass, pairOf } from "../pass.ts";
import { sendWord } from "../words.ts";
import type { RequestHandler } from "./handler.ts";

export const introduce: RequestHandler<"introduce"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { core, session, id } = exchange;
    const { key, addresses, end } = request;
    const wanted = parseNick(request.to);
    if (nameKey(wanted) === nameKey(session.nick)) {
      throw new ProtocolError("bad-message", "introduce: to is yourself; name somebody else");
    }
    if (addresses !== undefined && key === undefined) {
      throw new ProtocolError("bad-message", "introduce: addresses without a key; give both");
    }
    if (!session.introductions.take(core.clock.monotonic())) {
      throw new ProtocolError("rate-limited", "too many introductions; wait a little and ask again");
    }
    core.backplane.lookup(wanted, (result) => {
      if (session.closed) return;
      if (!result.ok) {
        exchange.fail(result);
        return;
      }
      const { member } = result;
      if (member === undefined) {
        const what = `nobody called ${wanted} is connected; check the nick with members`;
        exchange.refuse("no-such-nick", what, wanted);
        return;
      }
      const pair = pairOf(core.secret, session.name, member.session);
      if (request.pair !== undefined && request.pair !== pair) {
        exchange.refuse("not-introduced", `${member.nick} is somebody else now; introduce yourself again`);
        return;
      }
      if (end === true) session.relays.refuse(member.session, true);
      else if (key !== undefined) session.relays.refuse(member.session, false);
      sendWord(core, member.session, {
        introduction: {
          from: session.name,
          nick: session.nick,
          ...(end === true
            ? { end }
            : key === undefined
              ? {}
              : cardOf(exchange, member.session, key, addresses)),
        },
      });
      exchange.answer({ type: "introduce", ...withId(id), nick: member.nick, pair });
    });
  },
};

/** What somebody who agrees gives the other. */
function cardOf(
  { core, session }: Exchange,
  holder: string,
  key: string,
  addresses: readonly string[] | undefined,
): { key: string; pass: string; addresses?: string[]; seen?: string } {
  const until = core.clock.now() + core.limits.passMs;
  const pass = makePass(core.secret, { holder, to: session.name, until });
  if (addresses === undefined) return { key, pass };
  // Who tells no address does not want to be found by the one that the server sees either.
  const seen = addresses.length === 0 ? {} : { seen: hostOf(session.origin.address) };
  return { key, pass, addresses: [...addresses], ...seen };
}

/** Has no answer: what became of the bytes only the other side can tell. */
export const relay: RequestHandler<"relay"> = {
  order: "immediate",
  cost: "free",
  run(exchange, { pass, stream, seq, data, ack, end }) {
    const { core, session, slot } = exchange;
    const to = session.relays.route(pass);
    if (to === undefined) {
      throw new ProtocolError("not-introduced", "this pass is no good here; introduce yourself again");
    }
    const refusal = session.relays.send(to, data?.length ?? 0);
    if (refusal === "relay-full") {
      throw new ProtocolError("relay-full", "too many bytes are under way to them; wait for an ack");
    }
    if (refusal !== undefined) {
      throw new ProtocolError("rate-limited", "the relay takes no more bytes now; slow down");
    }
    const fields = Object.fromEntries(
      Object.entries({ seq, data, ack, end }).filter(([, value]) => value !== undefined),
    );
    sendWord(core, to, { relay: { from: session.name, stream, ...fields } });
    slot.finish();
  },
};
