/**
 * `rtchat client`: a headless client with a screen, lines or a pipe around it. On a terminal one types and reads; in a
 * pipe stdin is sent and the exit code tells.
 */
import { Failure } from "../cli/errors.ts";
import type { Config } from "../cli/flag.ts";
import { BoundedLines, coloursOf } from "../cli/output.ts";
import { modeStarter, type ModeContext, type StartMode } from "../cli/run.ts";
import { suggest } from "../cli/suggest.ts";
import type { Client } from "../client/client.ts";
import { systemClock } from "../protocol/clock.ts";
import { pipeLimits } from "../protocol/limits.client.ts";
import { clientLimits } from "../protocol/limits.ts";
import { sanitizeLine } from "../protocol/sanitize.ts";
import { paintFor } from "../tui/colours.ts";
import type { Command } from "../tui/commands/command.ts";
import type { HabitKeeping, KeptHabits } from "../tui/model/habits.ts";
import type { Words } from "../tui/language/words.ts";
import { makeClient, wayTo, wordsOf, writeAddresses } from "./client/connect.ts";
import { deviceCommand } from "./client/device.ts";
import { DirectBackend } from "./client/direct/backend.ts";
import { Memory } from "./client/memory.ts";
import { clientMode } from "./flags/client.ts";
import { loginNick } from "./flags/common.ts";

/** Where everybody begins who was nowhere yet. */
const FIRST_ROOM = "lobby";

type ClientConfig = Config<(typeof clientMode)["flags"]>;

/** What every way to chat needs. */
interface Chat {
  readonly client: Client;
  /** The client, and direct paths beside it. */
  readonly backend: DirectBackend;
  readonly config: ClientConfig;
  readonly context: ModeContext;
  readonly words: Words;
  readonly memory: Memory;
  /** Where it connects to, as memory has it. */
  readonly address: string;
}

export const start: StartMode = modeStarter(clientMode, async (config, context) => {
  const { environment } = context;
  const words = wordsOf(config.lang, environment);
  const memory = new Memory(environment);
  const way = wayTo(config, memory);
  const { stdin, stdout } = process;
  const person = !config.json && stdin.isTTY && stdout.isTTY;
  const login = loginNick(environment);
  const nick =
    config.nick ??
    memory.nick ??
    (person ? await (await import("./client/ask-nick.ts")).askNick(words, login) : login);
  if (nick === undefined) return;
  const client = makeClient(way, nick, { memory: person ? memory : undefined, bot: config.bot });
  const backend = new DirectBackend({
    client,
    clock: systemClock,
    words,
    mode: config.p2p,
    newId: () => `direct-${crypto.randomUUID()}`,
    // A pipe has nothing to show a code to, and remembers nothing.
    commands: person ? [...(await operatorsOf(config)), deviceCommand(client, memory)] : [],
    load: async () => (await import("./client/direct/parts.ts")).openParts(config.data, config.downloads),
  });
  const address = writeAddresses(way.addresses);
  const chat = { client, backend, config, context, words, memory, address };
  if (!person) {
    await runInPipe(chat);
    return;
  }
  client.on((event) => {
    if (event.kind !== "connection" || event.connection.state !== "online") return;
    memory.nick = event.connection.nick;
    memory.connect = address;
    memory.save();
  });
  if (config.plain || environment["TERM"] === "dumb") await runLines(chat);
  else await runFullScreen(chat);
});

/** The commands of operators, for whoever has their secret. */
async function operatorsOf({ operatorSecretFile }: ClientConfig): Promise<readonly Command[]> {
  if (operatorSecretFile === undefined) return [];
  const [{ operatorCommands }, { readOperatorSecret }] = await Promise.all([
    import("./client/operator.ts"),
    import("./secret.ts"),
  ]);
  return operatorCommands(readOperatorSecret(operatorSecretFile));
}

/**
 * In which room a person begins, and what they find as they left it. Whoever names a room wants to be there and nowhere
 * else, this time.
 */
function beginning({ client, config, memory, address }: Chat): { room: string; habits: HabitKeeping } {
  let cluster: string | undefined;
  const kept = memory.habitsAt(address);
  const { room } = config;
  const keep = (habits: KeptHabits): void => {
    if (cluster === undefined) return;
    memory.setHabits(
      cluster,
      room === undefined ? habits : { ...habits, rooms: kept.rooms, front: kept.front },
    );
    memory.save();
  };
  client.on((event) => {
    if (event.kind !== "received" || event.message.type !== "welcome") return;
    ({ cluster } = event.message);
    memory.found(address, cluster);
  });
  const rooms = room === undefined ? kept.rooms : [];
  const front = room ?? kept.front ?? rooms[0] ?? FIRST_ROOM;
  return { room: front, habits: { kept: { ...kept, rooms }, keep } };
}

async function runFullScreen(chat: Chat): Promise<void> {
  const { client, backend, context, words, memory } = chat;
  // Each way to chat loads its own code only: whoever starts one waits for no other.
  const { runScreen } = await import("../tui/screen/run.ts");
  const { environment } = context;
  let cluster = "";
  client.on((event) => {
    if (event.kind === "received" && event.message.type === "welcome") ({ cluster } = event.message);
  });
  const { closed, unacknowledged } = await runScreen({
    backend,
    words,
    clock: systemClock,
    ...beginning(chat),
    suggest,
    input: process.stdin,
    output: process.stdout,
    environment,
    abilities: { colours: coloursOf(environment), links: environment["TERM"] !== "linux" },
    remembered: (room, epoch) => {
      const position = memory.position(cluster, room);
      return position?.epoch === epoch ? position.seq : undefined;
    },
    read: (room, seq) => {
      const epoch = client.session.rooms.get(room)?.position?.epoch;
      if (epoch !== undefined) memory.setPosition(cluster, room, { epoch, seq });
    },
    keys: context.settings.table("keys"),
    colours: context.settings.table("colours"),
    stopped: context.stopped(),
  });
  await backend.ended();
  memory.nick = client.session.nick;
  memory.save();
  if (closed !== undefined) throw new Failure(closed);
  if (unacknowledged > 0) throw new Failure(words.pipeUnacknowledged(unacknowledged));
}

async function runLines(chat: Chat): Promise<void> {
  const { client, backend, context, words } = chat;
  const { LineChat } = await import("../tui/line/line-chat.ts");
  const { LineTerminal } = await import("../tui/line/terminal.ts");
  const quit = Promise.withResolvers<void>();
  const terminal = new LineTerminal({
    input: process.stdin,
    output: process.stdout,
    typed: (line) => lines.typed(line),
    complete: (before) => lines.complete(before),
    quit: () => quit.resolve(),
    dumb: context.environment["TERM"] === "dumb",
  });
  const lines = new LineChat({
    backend,
    screen: terminal,
    words,
    paint: paintFor(coloursOf(context.environment)),
    ...beginning(chat),
    suggest,
    quit: () => quit.resolve(),
  });
  lines.start();
  await Promise.race([quit.promise, context.stopped()]);
  const { connection } = client;
  const unsent = backend.unacknowledged;
  terminal.close();
  backend.close();
  await backend.ended();
  if (connection.state === "closed") throw new Failure(connection.message);
  if (unsent > 0) throw new Failure(words.pipeUnacknowledged(unsent));
}

async function runInPipe({ client, backend, config, context, words }: Chat): Promise<void> {
  const { room = FIRST_ROOM } = config;
  const { runPipe } = await import("../tui/line/pipe.ts");
  const { LineFormat } = await import("../tui/line/format.ts");
  const { eventLines } = await import("../tui/line/event-lines.ts");
  const { stdin, stdout, stderr } = process;
  const format = new LineFormat(words, paintFor(coloursOf(context.environment)));
  const reader = new BoundedLines(stdout, pipeLimits.stdoutBytes);
  const result = await runPipe({
    backend,
    words,
    clock: systemClock,
    room,
    history: config.json || config.follow ? clientLimits.historyDefault : 0,
    json: config.json,
    follow: config.follow,
    input: stdin,
    print: (line) => reader.write(line),
    warn: (line) => stderr.write(`${sanitizeLine(line)}\n`),
    format: (event) => eventLines(event, format, client.session.nick, room),
    stopped: Promise.race([context.stopped(), reader.behind]),
  });
  await backend.ended();
  if (!result.ok) throw new Failure(result.message, result.hint);
}
