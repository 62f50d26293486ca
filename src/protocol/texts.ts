/** What texts of people must be to enter a log: the same rules for clients, servers and peers. */
import { ProtocolError } from "./errors.ts";
import { clientLimits } from "./limits.ts";

/** C0 but tab and newline, DEL, C1: nothing a message needs, and everything a terminal could be attacked with. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
const encoder = new TextEncoder();
const measure = new Uint8Array(clientLimits.textBytes);

/**
 * A message text fit for the log: well-formed, 1 to 8 KiB of UTF-8, no control characters but tab and newline.
 * @throws ProtocolError `bad-text` or `text-too-long`
 */
export function checkText(text: string): string {
  if (text.length === 0)
    throw new ProtocolError("bad-text", "the text is empty; send at least one character");
  const formed = text.isWellFormed() ? text : text.toWellFormed();
  const control = CONTROL.exec(formed);
  if (control !== null) {
    const point = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    throw new ProtocolError(
      "bad-text",
      `the text has the control character U+${point}; remove it and send again`,
      `U+${point}`,
    );
  }
  // UTF-8 takes at most three bytes a UTF-16 unit, so short texts need no measuring.
  if (formed.length * 3 > measure.length && encoder.encodeInto(formed, measure).read < formed.length) {
    throw new ProtocolError(
      "text-too-long",
      `the text is over ${clientLimits.textBytes} bytes; split it into several messages`,
      String(clientLimits.textBytes),
    );
  }
  return formed;
}

/**
 * A topic fit for display: one line, possibly empty.
 * @throws ProtocolError `bad-text` or `text-too-long`
 */
export function checkTopic(text: string): string {
  if (text.length === 0) return "";
  if ([...text].length > clientLimits.topicLength) {
    throw new ProtocolError(
      "text-too-long",
      `the topic is over ${clientLimits.topicLength} characters; shorten it`,
      String(clientLimits.topicLength),
    );
  }
  const topic = checkText(text);
  if (/[\t\n]/.test(topic))
    throw new ProtocolError("bad-text", "a topic is one line; remove tabs and line breaks");
  return topic;
}

/** Whether something may be a request's id: 1 to 64 characters of well-formed Unicode. */
export function isId(id: unknown): id is string {
  return typeof id === "string" && id.length > 0 && id.length <= clientLimits.idLength && id.isWellFormed();
}
