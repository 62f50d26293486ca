/** People with the compiled client in JSON mode, and taps that see what passes between processes. */
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { eventually, withDeadline } from "../support/deadline.ts";
import type { Lab, Running } from "../support/lab.ts";

type Event = Record<string, unknown>;

/** One client. */
export class Person {
  readonly nick: string;
  readonly running: Running;
  #count = 0;

  constructor(nick: string, running: Running) {
    this.nick = nick;
    this.running = running;
  }

  /** All it printed. */
  get events(): Event[] {
    const lines = this.running.output.stdout.split("\n").slice(0, -1);
    return lines.map((line) => Object(JSON.parse(line)) as Event);
  }

  /** States of the path to somebody, in order. */
  states(nick: string): unknown[] {
    return this.events
      .filter((one) => one["type"] === "p2p" && one["nick"] === nick)
      .map((one) => one["state"]);
  }

  /** Texts of the conversation with somebody, in order. */
  texts(nick: string): unknown[] {
    return this.events
      .filter((one) => one["type"] === "message" && one["room"] === `@${nick}`)
      .map((one) => one["text"]);
  }

  do(object: object): void {
    this.running.write(`${JSON.stringify(object)}\n`);
  }

  /** Asks for a direct path, or agrees to one. */
  goDirect(nick: string): void {
    this.do({ type: "introduce", to: nick });
  }

  say(to: string, text: string): void {
    this.#count += 1;
    this.do({ type: "send", room: `@${to}`, text, id: `${this.nick}-${this.#count}` });
  }

  /** Waits until the path to somebody is in one of these states, and gives what was told of it last. */
  async until(nick: string, ...states: readonly string[]): Promise<Event> {
    await eventually(
      () => states.includes(String(this.states(nick).at(-1))),
      () =>
        `${this.nick}: ${nick} ${states.join(" or ")}, not ${JSON.stringify(this.states(nick))}\n${this.running.output.stdout}`,
    );
    return this.events.findLast((one) => one["type"] === "p2p" && one["nick"] === nick) ?? {};
  }

  async hears(nick: string, text: string): Promise<void> {
    await eventually(
      () => this.texts(nick).includes(text),
      () => `${this.nick} hears ${text} of ${nick}: ${this.running.output.stdout}`,
    );
  }

  async leaves(): Promise<void> {
    this.running.endInput();
    await this.running.stop("SIGTERM");
  }
}

/** Starts a client with a device of its own, named by `device`. */
export async function arrive(
  lab: Lab,
  door: string,
  nick: string,
  device: string,
  ...more: readonly string[]
): Promise<Person> {
  const data = join(await lab.folder(), "devices", device);
  const args = ["client", "--connect", door, "--nick", nick, "--json", "--follow", "--data", data, ...more];
  const person = new Person(nick, await lab.start(...args));
  await person.running.line(/"type":"joined"/);
  return person;
}

/** Two who have a path, whichever it is. */
export async function meet(one: Person, two: Person): Promise<void> {
  one.goDirect(two.nick);
  await two.until(one.nick, "asks");
  two.goDirect(one.nick);
}

/** Something between two processes that sees every byte. */
export class Tap {
  readonly #server: Server;
  readonly #chunks: Buffer[] = [];

  private constructor(to: NetConnectOpts) {
    this.#server = createServer((near) => {
      const far = connect(to);
      const carry = (from: Socket, into: Socket): void => {
        from.on("data", (chunk: Buffer) => this.#chunks.push(chunk));
        from.on("error", () => into.destroy());
        from.pipe(into);
      };
      carry(near, far);
      carry(far, near);
    });
  }

  /** @param at a Unix socket's path; without one a free port of loopback */
  static async open(lab: Lab, to: NetConnectOpts, at?: string): Promise<Tap> {
    const tap = new Tap(to);
    const listening = Promise.withResolvers<void>();
    if (at === undefined) tap.#server.listen(0, "127.0.0.1", listening.resolve);
    else tap.#server.listen(at, listening.resolve);
    await withDeadline(listening.promise, () => "a tap");
    tap.#server.unref();
    lab.onClose(async () => void tap.#server.close());
    return tap;
  }

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("a tap on a path has no address");
    return `127.0.0.1:${address.port}`;
  }

  get bytes(): number {
    return this.#chunks.reduce((sum, { length }) => sum + length, 0);
  }

  /** Whether a text passed, as it is or in base64 at whatever offset. */
  saw(text: string): boolean {
    const all = Buffer.concat(this.#chunks);
    return [text, ...inBase64(text)].some((one) => all.indexOf(one) !== -1);
  }
}

/** What base64 of something with the text in it has in it, by the text's offset. */
export function inBase64(text: string): readonly string[] {
  return [0, 1, 2].map((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]).toString("base64");
    // The first and last characters hold bits of the neighbours as well.
    return padded.slice(4, -6);
  });
}
