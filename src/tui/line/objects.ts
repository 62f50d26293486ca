/**
 * Protocol objects on stdin, for programs that drive a client with `--json`: checked as a server would check them, so
 * that a mistake is told at once and with the field's name, then done by the session, so that joins and messages
 * survive a reconnect like everybody's.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import { parseRequest } from "../../protocol/requests.ts";
import type { AnswerHandler, ChatBackend } from "../backend.ts";

/**
 * What became of an object: a message that was taken, a request whose answer `answered` will hear once, something that
 * has no answer of its own, or the wish to end.
 */
export type Done = "sent" | "asked" | "done" | "bye";

const encoder = new TextEncoder();

/**
 * Does what one line of JSON asks for.
 * @param answered the answer of a request; never called before this returns
 * @throws ProtocolError for what is no request, or none that can be made here and now
 */
export function doObject(backend: ChatBackend, line: string, answered: AnswerHandler): Done {
  const request = parseRequest(encoder.encode(line));
  const { session } = backend;
  switch (request.type) {
    case "hello":
      throw new ProtocolError("already-hello", "the client says hello itself; use --nick and --connect");
    case "join":
      session.join(request.room, request.history, request.since);
      return "done";
    case "leave":
      if (session.leave(request.room)) return "done";
      throw new ProtocolError("not-in-room", `not in ${request.room}; join it first`);
    case "send": {
      const taken = session.send(request.room, request.text, request.id);
      if (!taken.ok) throw new LocalError(taken.code, taken.message);
      return "sent";
    }
    case "bye":
      return "bye";
    default: {
      const taken = session.request(request, answered);
      if (!taken.ok) throw new LocalError(taken.code, taken.message);
      return "asked";
    }
  }
}

/** A refusal by this client, with a code that the protocol's table may not have. */
export class LocalError extends Error {
  override readonly name = "LocalError";
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
