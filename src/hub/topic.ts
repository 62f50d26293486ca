/** A room's topic, as the record `topic` keeps it. */
import { z } from "zod";
import type { Topic } from "../protocol/messages.ts";

/** The record's key. */
export const TOPIC = "topic";

const topicSchema = z.object({
  text: z.string(),
  by: z.string(),
  at: z.number(),
  /** Tells one setting from another that looks the same. */
  set: z.string().optional(),
});

/** A topic, who set it, and when (ms since 1970). */
export type TopicRecord = z.output<typeof topicSchema>;

/** Reads a record; undefined if it is none of ours. */
export function readTopic(value: string | undefined): TopicRecord | undefined {
  if (value === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    return undefined;
  }
  return topicSchema.safeParse(json).data;
}

/** The line that tells of it. */
export function topicMessage(room: string, { text, by, at }: TopicRecord): Topic {
  return { type: "topic", room, text, by, at };
}
