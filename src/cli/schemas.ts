/** The kinds of value a flag may have: each reads a person's text and, refusing it, says what to write instead. */
import { z } from "zod";
import {
  type AddressDefaults,
  formatAddress,
  parseAddress,
  parseAddressList,
  parseHost,
  parsePort,
  parseServerList,
  parseWeightedList,
} from "../protocol/address.ts";
import { parseNick, parseRoom, quote } from "../protocol/names.ts";

/** A schema around a parser that throws: the message of what it throws becomes the message of the schema. */
export function parsedBy<Value>(parse: (text: string) => Value): z.ZodType<Value, string> {
  return z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });
}

/** A port to listen on; 0 asks for any free one. */
export const portSchema = parsedBy(parsePort);

/** A host to listen on. */
export const hostSchema = parsedBy(parseHost);

/** One address. */
export const addressSchema = (defaults: AddressDefaults = {}) =>
  parsedBy((text) => parseAddress(text, defaults));

/** Addresses separated by commas. */
export const addressListSchema = (defaults: AddressDefaults = {}) =>
  parsedBy((text) => parseAddressList(text, defaults));

/** Addresses of servers separated by commas, each with `tls://` before it or not. */
export const serverListSchema = (defaults: AddressDefaults = {}) =>
  parsedBy((text) => parseServerList(text, defaults));

/** Addresses separated by commas, each with an optional weight: `8001*3,8002`. */
export const weightedListSchema = parsedBy((text) => parseWeightedList(text));

/** An HTTP endpoint: `8080`, `host:8080` or a whole URL. */
export const httpEndpointSchema = parsedBy((text) => {
  if (!text.includes("://")) return new URL(`http://${formatAddress(parseAddress(text))}`);
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw new TypeError(`${quote(text)} is not an http or https URL`);
});

/** Host names separated by commas. */
export const hostListSchema = parsedBy((text) => text.split(",").map((part) => parseHost(part.trim())));

/** Ports separated by commas. */
export const portListSchema = parsedBy((text) => text.split(",").map((part) => parsePort(part.trim())));

/** A nick, as PROTOCOL.md allows it. */
export const nickSchema = parsedBy(parseNick);

/** A room's name; a leading `#`, as people are used to write it, is taken off. */
export const roomSchema = parsedBy((text) => parseRoom(text.replace(/^#/, "")));

/** A path, taken as it is. */
export const pathSchema = z.string().min(1, "the path is empty");

/** One of a few words. */
export function choiceSchema<const Choices extends readonly [string, ...string[]]>(choices: Choices) {
  return z.enum(choices, {
    error: ({ input }) => `${quote(String(input))} is none of ${choices.join(", ")}`,
  });
}

/** A whole number within bounds, both included. */
export function countSchema(least: number, most: number): z.ZodType<number, string> {
  return parsedBy((text) => {
    const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (count >= least && count <= most) return count;
    throw new RangeError(`${quote(text)} is not a whole number from ${least} to ${most}`);
  });
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time such as `500ms`, `30s`, `5m`, in milliseconds; `0` needs no unit. */
export const durationSchema = parsedBy(parseDuration);

/** A time that must not be shorter than `leastMs`. @param why for the message: "because …" */
export const durationFrom = (leastMs: number, why: string) =>
  parsedBy((text) => {
    const ms = parseDuration(text);
    if (ms < leastMs) throw new RangeError(`${quote(text)} is too short; at least ${leastMs}ms, ${why}`);
    return ms;
  });

function parseDuration(text: string): number {
  const [, amount = "", unit = ""] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = unitMs[unit];
  if (text === "0") return 0;
  if (factor === undefined)
    throw new RangeError(`${quote(text)} is not a time; write it as 500ms, 30s, 5m, 2h or 7d`);
  return Number(amount) * factor;
}
