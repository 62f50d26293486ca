/** Files for programs in JSON mode: three objects on stdin. What becomes of them is told by `file` objects. */
import { z } from "zod";
import type { Taken } from "../../tui/backend.ts";
import { pathOf, type FileParties } from "./commands.ts";

const number = z.int().min(1);
const schema = z.discriminatedUnion("type", [
  /** `to`: a nick or a peer ID. */
  z.object({
    type: z.literal("file-offer"),
    to: z.string(),
    path: z.string().min(1),
    id: z.string().optional(),
  }),
  z.object({ type: z.literal("file-accept"), number, id: z.string().optional() }),
  /** Refuses an offer, or stops what is under way. */
  z.object({ type: z.literal("file-cancel"), number, id: z.string().optional() }),
]);

const refusals = {
  "no-such-transfer": "no file has this number",
  "not-offered": "this file is not waiting for an answer",
  "too-many": "too many files for this peer are under way",
} as const;

/** Does what an object asks for; undefined when it is about something else. */
export function doFileObject(parties: FileParties, object: unknown): Taken | undefined {
  const type: unknown = typeof object === "object" && object !== null && "type" in object ? object.type : "";
  if (typeof type !== "string" || !type.startsWith("file-")) return undefined;
  const parsed = schema.safeParse(object);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return refused(
      "bad-request",
      `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not as it should be"}`,
    );
  }
  const { data } = parsed;
  const id = data.id ?? "";
  if (data.type !== "file-offer") {
    const how = data.type === "file-accept" ? "accept" : "cancel";
    const result = parties.exchange[how](data.number);
    const isDone = result === undefined || result === "later";
    return isDone ? { ok: true, id } : refused(result, refusals[result]);
  }
  const found = parties.find(data.to);
  if ("problem" in found) return refused("no-such-nick", found.problem);
  if (found.reach !== "direct")
    return refused("no-link", "there is no direct connection to this peer, and files go no other way");
  const offered = parties.exchange.offer(found.peer, pathOf(data.path));
  return typeof offered === "number" ? { ok: true, id } : refused(offered, refusals[offered]);
}

function refused(code: string, message: string): Taken {
  return { ok: false, code, message };
}
