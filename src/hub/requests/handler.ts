/**
 * What a request type brings along: when it may start, what it costs, and what it does.
 *
 * A new request is a schema in protocol/messages.ts, a handler in a file of this folder, and a line in table.ts.
 */
import type { RequestOf, RequestType } from "../../protocol/messages.ts";
import type { Exchange } from "../exchange.ts";
import type { RequestOrder } from "../request-queue.ts";

/** One kind of request. */
export interface RequestHandler<T extends RequestType> {
  /** See request-queue.ts. `immediate` finishes before `run` returns. */
  readonly order: RequestOrder;
  /** Which bucket a request takes from: see messagesPerSecond and requestsPerSecond in limits.ts. */
  readonly cost: "free" | "message" | "request";
  /** May come before `hello`. */
  readonly beforeHello?: boolean;
  /** Finishes the exchange now or later. May throw ProtocolError now: it is answered with that. */
  run(exchange: Exchange, request: RequestOf<T>): void;
}

/** A handler for every request type. */
export type RequestHandlers = { readonly [T in RequestType]: RequestHandler<T> };

/** The handler of a type that came with a request of that type: whoever calls `run` passes that request. */
export function handlerOf(handlers: RequestHandlers, type: RequestType): RequestHandler<RequestType> {
  return handlers[type];
}
