/**
 * What two peers say to each other before they are friends, and how they prove that they belong together.
 *
 * Both send a Hello as soon as TLS stands. TLS has proved each side's key; the Hello proves the mesh: for each recent
 * mesh secret it carries a tag, HMAC-SHA256 over keying material of this very connection (RFC 8446,
 * 7.5) under a label for the sender's role. So a tag cannot be replayed on another connection or reflected to its
 * sender, and tells a stranger nothing: the mesh's name or ID is not on the wire before both have proved themselves.
 *
 * Several secrets are proved because one side may have slept through a removal, which starts a new one.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** Version of the link protocol. Other versions are refused by name. */
export const linkVersion = 1;

/** Label of the exported keying material that tags are made over. */
export const exporterLabel = "EXPORTER-rtchat-link-1";

/** Secrets proved in one Hello: more removals than anybody sleeps through, in few enough bytes. */
const secretsMost = 12;
/** Meshes left, proved in one Hello: a mesh is left a few times at most, in its first minutes. */
export const formerMost = 4;
/** A truncated HMAC-SHA256: 128 bits cannot be guessed on a link that closes after one failure. */
const tagBytes = 16;

const base64url = z.string().regex(/^[\w-]+$/);

/** First frame of both sides. Unknown fields are ignored, so that versions can grow. */
export const helloSchema = z.object({
  version: z.int().min(0).max(65_535),
  /** Random for each start of a process: tells a restart from a second link. */
  instance: base64url.length(16),
  /** `member`: in a mesh with others; `alone`: in none, or the only one in it. */
  situation: z.enum(["member", "alone"]),
  /** The sender was started to join somebody. */
  seeking: z.boolean(),
  /** A person asked to join the receiver: its address was typed, or its invite used. */
  asked: z.boolean(),
  /** The sender has an invite that the receiver made, and will show its token when it asks to be let in. */
  invited: z.boolean(),
  /** Where the sender's mesh stands among those that may still be given up; absent when it may not. See judge.ts. */
  rank: z
    .string()
    .regex(/^[01][0-9a-f]{16}$/)
    .optional(),
  tags: z.array(base64url.length(22)).max(secretsMost),
  /** Tags for secrets of young meshes that the sender has left for the present one. */
  former: z.array(base64url.length(22)).max(formerMost),
});

/** See {@link helloSchema}. */
export type Hello = z.infer<typeof helloSchema>;

/** What a Hello says of how its sender stands. */
export type Introduction = Pick<Hello, "situation" | "seeking" | "asked" | "invited" | "rank">;

/** The wish to be let in, after both Hellos. */
export const joinSchema = z.object({
  /** One-use token of an invite; sent only to the peer that the invite pins. */
  token: base64url.max(64).optional(),
});

/** What a new member is given: enough to be recognised on any link. The log follows by itself. */
export const admissionSchema = z.object({
  /** Mesh ID, 32 bytes. */
  mesh: base64url.length(43),
  /** The current mesh secret, 32 bytes. */
  secret: base64url.length(43),
});

/** See {@link admissionSchema}. */
export type Admission = z.infer<typeof admissionSchema>;

/** A last word: a code for programs, a sentence for people. */
export const refusalSchema = z.object({ code: z.string().max(40), message: z.string().max(400) });

/** Which end of the connection made a tag. */
export type Role = "dialler" | "listener";

function tag(secret: Uint8Array, role: Role, keyingMaterial: Uint8Array): Buffer {
  const mac = createHmac("sha256", secret).update(`rtchat link 1 ${role}\0`).update(keyingMaterial);
  return mac.digest().subarray(0, tagBytes);
}

/** Tags for the newest secrets (the current one first), to be sent by the end that is `role`. */
export function makeTags(
  secrets: readonly Uint8Array[],
  role: Role,
  keyingMaterial: Uint8Array,
): Hello["tags"] {
  return secrets
    .slice(0, secretsMost)
    .map((secret) => tag(secret, role, keyingMaterial).toString("base64url"));
}

/** What tags prove: the secret that is current for us, an older one, or nothing. */
export type Proof = "current" | "older" | "none";

/**
 * Checks tags that the end that is `role` sent.
 * @param secrets what this side knows, the current one first
 */
export function checkTags(
  tags: Hello["tags"],
  secrets: readonly Uint8Array[],
  role: Role,
  keyingMaterial: Uint8Array,
): Proof {
  const given = tags
    .map((text) => Buffer.from(text, "base64url"))
    .filter(({ length }) => length === tagBytes);
  for (const [index, secret] of secrets.slice(0, secretsMost).entries()) {
    const expected = tag(secret, role, keyingMaterial);
    if (given.some((one) => timingSafeEqual(one, expected))) return index === 0 ? "current" : "older";
  }
  return "none";
}
