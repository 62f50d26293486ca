// Five processes of the compiled binary: one is killed and restarted, one cut off and found again, one comes late. In the
// end all five print the same transcript.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { rtchatBinary } from "../support/binary.ts";
import { eventually } from "../support/deadline.ts";
import { openLab, type Running } from "../support/lab.ts";
import { Cable, canMakeNetworks } from "./network.ts";

const lab = openLab();
const message = z.object({ type: z.literal("message"), from: z.string(), text: z.string(), id: z.string() });

/** What was said before the start comes with the room. */
const joined = z.object({ type: z.literal("joined"), messages: z.array(message) });

/** A peer process in JSON mode. */
class PeerProcess {
  readonly name: string;
  #running: Running | undefined;
  #listen = "";
  #said = 0;

  constructor(name: string) {
    this.name = name;
  }

  get address(): string {
    return this.#listen;
  }

  /** Starts it, or starts it again with the same folder and port. */
  async start(prefix: readonly string[], host: string, connect?: string): Promise<void> {
    const command = [...prefix, await rtchatBinary()];
    const args = ["peer", "--json", "--nick", this.name, "--data", join(await lab.folder(), this.name)];
    args.push("--listen", this.#listen === "" ? `${host}:0` : this.#listen);
    if (connect !== undefined) args.push("--connect", connect);
    this.#said = 0;
    this.#running = await lab.startWith({ command }, ...args);
    this.#listen = (await this.#running.ready())["listen"] ?? "";
  }

  get running(): Running {
    if (this.#running === undefined) throw new Error(`${this.name} is not started`);
    return this.#running;
  }

  say(text: string): void {
    this.#said += 1;
    this.running.write(`${text}\n`);
  }

  /** Everything it wrote since its start is known to be held by somebody else: only then does it end with success. */
  get isAcknowledged(): boolean {
    const ids = this.running.output.stdout.matchAll(/"type":"ack","id":"([^"]+)"/g);
    return new Set([...ids].map(([, id]) => id)).size === this.#said;
  }

  /** What it has shown of the log since it was started: `from: text` of everything in the room. */
  get heard(): Set<string> {
    return new Set(this.#messages().map(({ from, text }) => `${from}: ${text}`));
  }

  #messages(): z.infer<typeof message>[] {
    const lines = this.running.output.stdout.split("\n").filter((line) => line.startsWith("{"));
    return lines.flatMap((line) => {
      const object: unknown = JSON.parse(line);
      return message.safeParse(object).data ?? joined.safeParse(object).data?.messages ?? [];
    });
  }

  /** What it misses, and all it said, for a failure's message. */
  describe(expected: ReadonlySet<string>): string {
    const missing = [...expected].filter((line) => !this.heard.has(line)).join("; ");
    return `${this.name} misses ${missing}\n${this.running.output.stdout}${this.running.output.stderr}`;
  }

  /** The whole room in its order, as the peer answers when asked. */
  async transcript(): Promise<string[]> {
    this.running.write('{"type":"history","room":"lobby","limit":200}\n');
    const line = await this.running.line(/^\{"type":"history"/);
    const { messages } = z.object({ messages: z.array(message) }).parse(JSON.parse(line));
    return messages.map(({ from, text }) => `${from}: ${text}`);
  }
}

test.skipIf(!canMakeNetworks)(
  "one killed, one cut off, one late: all end with the same transcript",
  async () => {
    const cable = new Cable();
    lab.onClose(() => Promise.resolve(cable.remove()));
    const [here, there] = [cable.at(0), cable.at(1)];
    const [ana, ben, eva, fin, gus] = ["ana", "ben", "eva", "fin", "gus"].map(
      (name) => new PeerProcess(name),
    ) as [PeerProcess, PeerProcess, PeerProcess, PeerProcess, PeerProcess];
    const expected = new Set<string>();
    const say = (peer: PeerProcess, text: string): void => {
      peer.say(text);
      expected.add(`${peer.name}: ${text}`);
    };
    const heardBy = (...peers: PeerProcess[]) =>
      eventually(
        () => peers.every(({ heard }) => [...expected].every((line) => heard.has(line))),
        () => peers.map((peer) => peer.describe(expected)).join("\n"),
      );

    await ana.start(here, cable.addresses[0]);
    await ben.start(here, cable.addresses[0], ana.address);
    await eva.start(here, cable.addresses[0], ana.address);
    await fin.start(there, cable.addresses[1], ben.address);
    for (const peer of [ana, ben, eva, fin]) say(peer, `hello from ${peer.name}`);
    await heardBy(ana, ben, eva, fin);

    // Ben dies without a word; the others go on.
    await ben.running.stop("SIGKILL");
    say(ana, "ben is gone");
    say(fin, "so he is");
    await heardBy(ana, eva, fin);

    // Fin is cut off: both sides go on writing, and neither hears the other.
    cable.cut();
    await Promise.all([fin.running.line(/^\{"type":"unlinked"/), eva.running.line(/^\{"type":"unlinked".*/)]);
    const together = new Set(expected);
    say(ana, "fin is cut off");
    say(eva, "yes");
    say(fin, "is anybody there?");
    await eventually(
      () => ana.heard.has("eva: yes") && fin.heard.has("fin: is anybody there?"),
      () => "both sides go on",
    );
    expect(fin.heard).toEqual(new Set([...together, "fin: is anybody there?"]));

    // Ben comes back on his side; the cable is mended; Gus comes late and knows only Fin.
    await ben.start(here, cable.addresses[0]);
    say(ben, "back again");
    cable.mend();
    await heardBy(ana, eva, fin);
    await gus.start(there, cable.addresses[1], fin.address);
    say(gus, "sorry, late");
    await heardBy(ana, ben, eva, fin, gus);

    const transcripts = await Promise.all([ana, ben, eva, fin, gus].map((peer) => peer.transcript()));
    expect(new Set(transcripts[0])).toEqual(expected);
    expect(transcripts[0]).toHaveLength(expected.size);
    for (const transcript of transcripts) expect(transcript).toEqual(transcripts[0]!);
    const everybody = [ana, ben, eva, fin, gus];
    await eventually(
      () => everybody.every(({ isAcknowledged }) => isAcknowledged),
      () => everybody.map((peer) => peer.describe(expected)).join("\n"),
    );
    for (const peer of everybody) expect((await peer.running.stop("SIGTERM")).code).toBe(0);
  },
);
