/**
 * From the bytes of one line to a checked request, or to a refusal that tells what is wrong with which field.
 *
 * The order of checks is the order a person would explain them in: bytes, JSON, object, type, fields.
 */
import { ProtocolError } from "./errors.ts";
import { clientLimits } from "./limits.ts";
import { quote } from "./names.ts";
import type { Request, RequestOf, RequestType } from "./messages.ts";
import { CLIENT_BOUND, NAME_BOUND, requestSchemas, RESUME_BOUND } from "./request-schemas.ts";
import { isId } from "./texts.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** A refused line: the error and, if the line had a usable one, the request id to answer with. */
export class RefusedRequest extends ProtocolError {
  readonly id: string | undefined;
  constructor(error: ConstructorParameters<typeof ProtocolError>, id: string | undefined) {
    super(...error);
    this.id = id;
  }
}

/**
 * Decodes and checks one line (without its newline).
 * @throws RefusedRequest `bad-utf8`, `bad-json`, `bad-message` or `unknown-type`
 */
export function parseRequest(line: Uint8Array): Request {
  let source: string;
  try {
    source = decoder.decode(line);
  } catch {
    throw new RefusedRequest(["bad-utf8", "the line is not valid UTF-8; send text as UTF-8"], undefined);
  }
  let object: unknown;
  try {
    object = JSON.parse(source);
  } catch {
    throw new RefusedRequest(
      ["bad-json", `the line ${quote(source)} is not JSON; send one JSON object a line`],
      undefined,
    );
  }
  return checkRequest(object);
}

/**
 * Checks an already decoded request.
 * @throws RefusedRequest `bad-json` (not an object), `bad-message` or `unknown-type`
 */
export function checkRequest(object: unknown): Request {
  if (typeof object !== "object" || object === null || Array.isArray(object)) {
    throw new RefusedRequest(
      ["bad-json", "the line is JSON but not an object; send one JSON object a line"],
      undefined,
    );
  }
  const answerId = "id" in object && isId(object.id) ? object.id : undefined;
  if (!("type" in object) || typeof object.type !== "string") {
    throw new RefusedRequest(
      ["bad-message", 'the object has no "type"; see PROTOCOL.md for the types'],
      answerId,
    );
  }
  const type = object.type;
  if (!Object.hasOwn(requestSchemas, type)) {
    throw new RefusedRequest(
      ["unknown-type", `unknown type ${quote(type)}; known are ${Object.keys(requestSchemas).join(", ")}`],
      answerId,
    );
  }
  const plain = plainRequest(type, object);
  if (plain !== undefined) return plain;
  const result = requestSchemas[type as RequestType].safeParse(object);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue === undefined ? "" : issue.path.join(".");
  throw new RefusedRequest(
    ["bad-message", `${type}: field ${quote(field)}: ${issue?.message ?? "not valid"}`],
    answerId,
  );
}

/**
 * What most lines are, without the schema.
 * @returns what the schema would give; undefined when the schema is to judge
 */
function plainRequest(type: string, object: object): Request | undefined {
  switch (type) {
    case "send":
      return plainSend(object);
    case "hello":
      return plainHello(object);
    case "join":
      return plainJoin(object);
    case "ping":
      return "id" in object && object.id !== undefined ? undefined : { type };
    case "bye":
      return "id" in object && object.id !== undefined ? undefined : { type };
    default:
      return undefined;
  }
}

/** A person's `hello` without an id: a first one, or one with a token that may be honoured. */
function plainHello(object: Fields<"hello">): RequestOf<"hello"> | undefined {
  const { id, version, nick, resume, client, bot } = object;
  if (id !== undefined || bot !== undefined || typeof version !== "number" || !Number.isFinite(version))
    return undefined;
  if (typeof nick !== "string" || nick.length > NAME_BOUND) return undefined;
  if (resume !== undefined && (typeof resume !== "string" || resume.length > RESUME_BOUND)) return undefined;
  if (client !== undefined && (typeof client !== "string" || client.length > CLIENT_BOUND)) return undefined;
  const hello = { type: "hello", version, nick } as const;
  if (resume === undefined) return client === undefined ? hello : { ...hello, client };
  return client === undefined ? { ...hello, resume } : { ...hello, resume, client };
}

/** A `join` without an id and a position. */
function plainJoin(object: Fields<"join">): RequestOf<"join"> | undefined {
  const { id, room, history = clientLimits.historyDefault, since } = object;
  if (id !== undefined || since !== undefined) return undefined;
  if (typeof room !== "string" || room.length > NAME_BOUND) return undefined;
  if (typeof history !== "number" || !Number.isInteger(history)) return undefined;
  if (history < 0 || history > clientLimits.historyMost) return undefined;
  return { type: "join", room, history };
}

/**
 * What most lines are, without the schema: a `send` of room, text and perhaps an id, all within their bounds.
 * @returns what the schema would give; undefined when the schema is to judge
 */
function plainSend(object: Fields<"send">): RequestOf<"send"> | undefined {
  const { room, id, text, action, re, by, proof } = object;
  if (typeof room !== "string" || room.length > NAME_BOUND || typeof text !== "string") return undefined;
  if (action !== undefined || re !== undefined || by !== undefined || proof !== undefined) return undefined;
  if (id === undefined) return { type: "send", room, text };
  if (!isId(id)) return undefined;
  return { type: "send", room, id, text };
}

/** The fields of a request's schema, unchecked; a field that is added there must be looked at here. */
type Fields<T extends RequestType> = { readonly [K in keyof RequestOf<T>]?: unknown };
