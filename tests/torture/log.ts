/** Reads the final log of every room through the ordinary protocol, page by page, over one fresh connection. */
import type { RunEvent } from "./checker.ts";

const PAGE = 200;
/** One answer; a cluster that takes longer is broken. */
const ANSWER_MS = 10_000;

interface Page {
  readonly type: string;
  readonly room?: string;
  readonly code?: string;
  readonly message?: string;
  readonly messages?: readonly { readonly seq: number; readonly id?: string; readonly text: string }[];
  readonly more?: boolean;
}

/** Feeds every entry to `record`. @returns the last position of each room */
export async function readLog(
  doors: readonly { host: string; port: number }[],
  rooms: readonly string[],
  record: (event: RunEvent) => void,
): Promise<Map<string, number>> {
  const lines = new LineReader();
  const door = doors[0];
  if (door === undefined) throw new Error("there is no door to read the log through");
  const socket = await Bun.connect({
    hostname: door.host,
    port: door.port,
    socket: { data: (_, bytes) => lines.push(bytes), close: () => lines.fail("the connection closed") },
  });
  const ask = async (request: object, type: string, room?: string): Promise<Page> => {
    socket.write(`${JSON.stringify(request)}\n`);
    return lines.next(type, room);
  };
  const last = new Map<string, number>();
  try {
    await ask({ type: "hello", version: 1, nick: "the-log-reader" }, "welcome");
    for (const room of rooms) {
      let after = 0;
      await ask({ type: "join", room, history: 0 }, "joined", room);
      for (;;) {
        const page = await ask({ type: "history", room, after, limit: PAGE }, "history", room);
        for (const { seq, id, text } of page.messages ?? []) {
          record({ e: "log", room, seq, id: id ?? "", text });
          after = seq;
        }
        if (page.more !== true) break;
      }
      last.set(room, after);
    }
  } finally {
    socket.end();
  }
  return last;
}

/** Waits for the answer of a type, skipping what else arrives. */
class LineReader {
  #held = "";
  #waiting:
    | { type: string; room: string | undefined; give: (page: Page) => void; fail: (error: Error) => void }
    | undefined;
  readonly #decoder = new TextDecoder();

  push(bytes: Uint8Array): void {
    const lines = (this.#held + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#held = lines.pop() ?? "";
    for (const line of lines) this.#line(JSON.parse(line) as Page);
  }

  fail(why: string): void {
    this.#waiting?.fail(new Error(why));
  }

  #line(page: Page): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    if (page.type === "error") waiting.fail(new Error(`${page.code ?? "error"}: ${page.message ?? ""}`));
    else if (page.type === waiting.type && (waiting.room === undefined || waiting.room === page.room))
      waiting.give(page);
  }

  async next(type: string, room: string | undefined): Promise<Page> {
    const { promise, resolve, reject } = Promise.withResolvers<Page>();
    const timer = setTimeout(() => reject(new Error(`no "${type}" in ${ANSWER_MS / 1000} s`)), ANSWER_MS);
    this.#waiting = { type, room, give: resolve, fail: reject };
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }
}
