/** What of transfers must survive the end of the program: who offered what, and what was accepted. */
import { z } from "zod";
import { offerSchema } from "./frames.ts";

const common = {
  id: z.string().regex(/^[0-9a-f]{32}$/),
  peer: z.string(),
  offer: offerSchema,
  /** When it began, or ended; ms since 1970. */
  at: z.number(),
};

/** One unfinished transfer, or a finished one that its sender may not have heard of. */
export const transferRecordSchema = z.discriminatedUnion("direction", [
  z.object({
    direction: z.literal("out"),
    ...common,
    path: z.string(),
    modifiedMs: z.number(),
    isAccepted: z.boolean(),
  }),
  z.object({ direction: z.literal("in"), ...common, isDone: z.boolean() }),
]);

/** See {@link transferRecordSchema}. */
export type TransferRecord = z.infer<typeof transferRecordSchema>;

/** Where records are kept. Synchronous; must not throw. */
export interface TransferRecords {
  load(): readonly TransferRecord[];
  save(records: readonly TransferRecord[]): void;
}
