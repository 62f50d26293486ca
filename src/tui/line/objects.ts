/**
 * Protocol objects on stdin, for programs that drive a client with `--json`: checked as a server would check them, so
 * that a mistake is told at once and with the field's name, then done by the session, so that joins and messages
 * survive a reconnect like everybody's.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import type { Request } from "../../protocol/messages.ts";
import { RefusedRequest, parseRequest } from "../../protocol/requests.ts";
import type { AnswerHandler, ChatBackend } from "../backend.ts";

/**
 * What became of an object: a message that was taken, a request whose answer `answered` will hear once, something that
 * has no answer of its own, or the wish to end.
 */
export type Done = "sent" | "asked" | "done" | "bye";

const encoder = new TextEncoder();

/** An object that was not done: a protocol error's code or this client's own, and the object's id if it had one. */
export class RefusedObject extends Error {
  override readonly name = "RefusedObject";
  readonly code: string;
  readonly id: string | undefined;
  constructor(code: string, message: string, id: string | undefined) {
    super(message);
    this.code = code;
    this.id = id;
  }
}

/**
 * Does what one line of JSON asks for.
 * @param answered the answer of a request; never called before this returns
 * @throws RefusedObject for what is no request, or none that can be done here and now
 */
export function doObject(backend: ChatBackend, line: string, answered: AnswerHandler): Done {
  const own = backend.doObject?.(parseJson(line));
  if (own !== undefined) {
    if (own.ok) return "done";
    throw new RefusedObject(own.code, own.message, undefined);
  }
  let id: string | undefined;
  try {
    const request = parseRequest(encoder.encode(line));
    ({ id } = request);
    return perform(backend, request, answered);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new RefusedObject(error.code, error.message, error instanceof RefusedRequest ? error.id : id);
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // Refused in the same words as a server would.
  }
}

function perform(backend: ChatBackend, request: Request, answered: AnswerHandler): Done {
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
      const { room, text, id, action, re, by, proof } = request;
      const extras = Object.fromEntries(
        Object.entries({ action, re, by, proof }).filter(([, value]) => value !== undefined),
      );
      const taken = session.send(room, text, id, extras);
      if (!taken.ok) throw new RefusedObject(taken.code, taken.message, request.id);
      return "sent";
    }
    case "relay":
      throw new ProtocolError("unknown-type", "the client relays by itself; ask for a path with introduce");
    case "bye":
      return "bye";
    default: {
      const taken = session.request(request, answered);
      if (!taken.ok) throw new RefusedObject(taken.code, taken.message, request.id);
      return "asked";
    }
  }
}
