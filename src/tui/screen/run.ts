/** The full screen from its start to its end: the pieces put together. */
import type { ReadStream, WriteStream } from "node:tty";
import type { Clock } from "../../protocol/clock.ts";
import { screenLimits } from "../../protocol/limits.client.ts";
import type { ChatBackend } from "../backend.ts";
import type { CommandContext } from "../commands/command.ts";
import { themeFrom } from "../colours.ts";
import { bindingsFrom } from "../input/bindings.ts";
import type { Words } from "../language/words.ts";
import { HabitTeller, habitsOf } from "../model/habits.ts";
import type { HabitKeeping } from "../model/habits.ts";
import type { TerminalAbilities } from "../text/ansi.ts";
import { ScreenController } from "./controller.ts";
import { Painter } from "./painter.ts";
import { ScreenTerminal, notificationStyle } from "./terminal.ts";

export interface RunScreenOptions {
  readonly backend: ChatBackend;
  readonly words: Words;
  readonly clock: Clock;
  readonly room: string;
  readonly suggest: CommandContext["suggest"];
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly abilities: TerminalAbilities;
  /** Keys beside the defaults, and colours, as a settings' file has them. */
  readonly keys?: ReadonlyMap<string, string>;
  readonly colours?: ReadonlyMap<string, string>;
  /** How far a room was read in an earlier run, in that epoch. */
  readonly remembered?: (room: string, epoch: string) => number | undefined;
  /** Told at the end: how far a room was read. */
  readonly read?: (room: string, seq: number) => void;
  /** What a person finds as they left it. */
  readonly habits?: HabitKeeping;
  /** Resolves when the program is told to end. */
  readonly stopped: Promise<unknown>;
}

/** How the screen ended: why the chat is over, if it is, and how many messages had no acknowledgement. */
export interface ScreenResult {
  readonly closed: string | undefined;
  readonly unacknowledged: number;
}

/**
 * A flood of messages (a room that is caught up on after a day) leaves the heap several times as large as what is kept of
 * it, and the engine would give that back only when it is needed. Nobody types meanwhile, so it is collected at once.
 */
function collectAfterFloods(backend: ChatBackend, clock: Clock): void {
  let messages = 0;
  let since = clock.monotonic();
  backend.on((event) => {
    if (event.kind !== "received" || event.message.type !== "message") return;
    messages += 1;
    if (messages < screenLimits.floodMessages) return;
    const now = clock.monotonic();
    if (now - since < screenLimits.floodMs) Bun.gc(true);
    messages = 0;
    since = now;
  });
}

/** Shows the chat until the person quits, the chat is over, or the program is told to end. */
export async function runScreen(options: RunScreenOptions): Promise<ScreenResult> {
  const { backend, words, clock, room, suggest, input, output, environment, abilities } = options;
  const over = Promise.withResolvers<void>();
  const terminal = new ScreenTerminal({
    input,
    output,
    clock,
    notifications: notificationStyle(environment),
    key: (event) => controller.key(event),
    resized: (columns, rows) => controller.resize(columns, rows),
    returned: () => painter.forget(),
  });
  const painter = new Painter(abilities, (text) => terminal.write(text));
  const controller = new ScreenController({
    backend,
    words,
    clock,
    room,
    suggest,
    bindings: bindingsFrom(options.keys ?? new Map()),
    theme: themeFrom(options.colours ?? new Map()),
    size: { columns: output.columns, rows: output.rows },
    quit: () => over.resolve(),
    suspend: () => terminal.suspend(),
    redraw: () => painter.forget(),
    paint: (frame) => painter.paint(frame),
    paintBare: (screen) => painter.bare(screen),
    alert: ({ from, text }) => terminal.notify(from, text),
    ...(options.remembered === undefined ? {} : { remembered: options.remembered }),
    ...(options.habits === undefined ? {} : { habits: options.habits.kept }),
  });
  collectAfterFloods(backend, clock);
  const habits = options.habits === undefined ? undefined : new HabitTeller(options.habits);
  terminal.open();
  controller.open();
  controller.subscribe(() => {
    const { rooms, active, closed } = controller.model;
    const spoken = rooms.reduce((sum, one) => sum + one.mentions, 0);
    terminal.setTitle(`${spoken > 0 ? `(${spoken}) ` : ""}${active.name} – rtchat`);
    habits?.now(habitsOf(controller.model));
    if (closed !== undefined) over.resolve();
  });
  backend.connect();
  try {
    await Promise.race([over.promise, options.stopped]);
  } finally {
    controller.stop();
    terminal.close();
  }
  for (const { name, readSeq, isDirect } of controller.model.rooms) {
    if (readSeq !== undefined && !isDirect) options.read?.(name, readSeq);
  }
  const unacknowledged = backend.session.unacknowledged;
  const { closed } = controller.model;
  backend.close();
  return { closed, unacknowledged };
}
