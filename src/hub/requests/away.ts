/** `away`: somebody is not at the keyboard, or is back. Everybody who shares a room hears of it. */
import { ProtocolError } from "../../protocol/errors.ts";
import { clientLimits } from "../../protocol/limits.ts";
import { checkTopic } from "../../protocol/texts.ts";
import { awayMessage } from "../away.ts";
import type { RequestHandler } from "./handler.ts";

export const away: RequestHandler<"away"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { core, session, id } = exchange;
    const words = request.away ? awayText(request.text ?? "") : undefined;
    core.backplane.setAway(session.name, words, (result) => {
      if (!result.ok) {
        exchange.fail(result);
        return;
      }
      session.away = words;
      const { nick } = session;
      const told = words === undefined ? { nick } : { nick, away: words };
      exchange.answer(awayMessage(told, undefined, id));
    });
  },
};

/** @throws ProtocolError `bad-text` or `text-too-long` */
function awayText(text: string): string {
  if ([...text].length > clientLimits.awayLength) {
    const most = clientLimits.awayLength;
    throw new ProtocolError(
      "text-too-long",
      `the message is over ${most} characters; shorten it`,
      String(most),
    );
  }
  return checkTopic(text);
}
