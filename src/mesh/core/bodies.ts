/**
 * What the known kinds of entries carry.
 *
 * A body is text for what people write, JSON for what the mesh must understand, and sealed bytes for direct messages.
 * The checks here decide whether an entry is taken into the log at all, so they must come out the same on every peer for
 * ever: they use fixed lengths and fixed character ranges, and nothing that changes with a version of Unicode. What does
 * (is this nick usable, are two rooms the same) is decided when things are shown.
 */
import { z } from "zod";
import { ProtocolError } from "../../protocol/errors.ts";
import { membershipLimits } from "../../protocol/limits.mesh.ts";
import { checkText, checkTopic } from "../../protocol/texts.ts";
import { bodyText, entryKinds, type EntryContent } from "./entry.ts";
import { FormatError, toHex } from "./bytes.ts";

const key = z.string().regex(/^[0-9a-f]{64}$/, "is not 64 hex digits");
/** A sealed mesh secret: 16 bytes of salt, 32 of secret, 16 of tag. */
const sealedSecret = z.string().regex(/^[0-9a-f]{128}$/, "is not 128 hex digits");
const line = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, "has a control character");

const schemas = {
  /** The mesh's first entry. The mesh ID is the hash of its author and nonce. The secret is sealed to the founder. */
  found: z.object({
    name: line(64),
    nonce: z.string().regex(/^[0-9a-f]{32}$/, "is not 32 hex digits"),
    check: key,
    secret: sealedSecret,
  }),
  /** `rotation` names the entry that started the sealed secret; both are absent when the admitter lacks it. */
  admit: z.object({ member: key, rotation: key.optional(), secret: sealedSecret.optional() }),
  appoint: z.object({ member: key }),
  /** Starts a new secret, sealed to each member who stays. `check` is its hash, so that nobody can hand on another. */
  remove: z.object({
    member: key,
    check: key,
    secrets: z
      .record(key, sealedSecret)
      .refine((all) => Object.keys(all).length <= membershipLimits.sealedMost, "has too many keys"),
  }),
  /** Hands the secret of a rotation to a member whom the rotation did not know. */
  grant: z.object({ member: key, rotation: key, secret: sealedSecret }),
  profile: z.object({ nick: line(64) }),
  addresses: z.object({
    addresses: z.array(line(membershipLimits.addressLength)).max(membershipLimits.addressesPerMember),
  }),
} as const;

type JsonKind = keyof typeof schemas;

/** A body as its kind understands it. `unknown`: a kind of a later version; kept and passed on, not understood. */
export type Body =
  | { [K in JsonKind]: { readonly kind: K } & Readonly<z.infer<(typeof schemas)[K]>> }[JsonKind]
  | { readonly kind: "chat" | "action" | "topic"; readonly text: string }
  /** `to` is a key in hex. */
  | { readonly kind: "direct"; readonly to: string; readonly sealed: Uint8Array }
  | { readonly kind: "unknown" };

const names = new Map<number, keyof typeof entryKinds>(
  Object.entries(entryKinds).map(([name, number]) => [number, name as keyof typeof entryKinds]),
);
const encoder = new TextEncoder();

/**
 * Decodes and checks the body of an entry.
 * @throws FormatError naming the kind and what is wrong
 */
export function decodeBody(entry: EntryContent): Body {
  const kind = names.get(entry.kind);
  if (kind === undefined) return { kind: "unknown" };
  const inRoom = kind === "chat" || kind === "action" || kind === "topic";
  if (inRoom !== (entry.room !== ""))
    throw new FormatError(inRoom ? `${kind} has no room` : `${kind} has a room`);
  if (inRoom) return { kind, text: checkedText(kind, bodyText(entry)) };
  if (kind === "direct") {
    if (entry.body.length < 32 + 33) throw new FormatError("direct is cut short");
    return { kind, to: toHex(entry.body.subarray(0, 32)), sealed: entry.body.subarray(32) };
  }
  return decodeJson(kind, bodyText(entry));
}

function decodeJson(kind: JsonKind, text: string): Body {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new FormatError(`${kind} is not JSON`);
  }
  const result = schemas[kind].safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new FormatError(
      `${kind}: field "${issue?.path.join(".") ?? ""}" ${issue?.message ?? "is not valid"}`,
    );
  }
  // The schema was chosen by the kind, which the compiler cannot follow through the index.
  return { kind, ...result.data } as Body;
}

/**
 * A text that may stand in the log.
 * @throws FormatError
 */
export function checkedText(kind: "chat" | "action" | "topic" | "direct", text: string): string {
  try {
    return kind === "topic" ? checkTopic(text) : checkText(text);
  } catch (error) {
    if (error instanceof ProtocolError) throw new FormatError(error.message);
    throw error;
  }
}

/** Encodes a JSON body. The caller is the only author of its content, so nothing is checked but the types. */
export function encodeJson<K extends JsonKind>(_kind: K, body: z.infer<(typeof schemas)[K]>): Uint8Array {
  return encoder.encode(JSON.stringify(body));
}

/** Encodes a text body. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}
