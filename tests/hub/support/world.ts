/** Hubs that share a cluster, and people in them: the setting of most tests. */
import { Hub } from "../../../src/hub/hub.ts";
import type { HubLimits } from "../../../src/hub/options.ts";
import { seededRandom } from "../../../src/protocol/clock.ts";
import type { Logger } from "../../../src/protocol/logger.ts";
import type { ServerMessage } from "../../../src/protocol/messages.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { FakeCluster } from "./cluster.ts";
import type { FakeBackplane } from "./cluster.ts";
import { TestEdge } from "./edge.ts";
import type { TestClient } from "./edge.ts";

export const secret = new TextEncoder().encode("a secret of thirty-two bytes....");

/** A hub, its connection to the cluster, and an edge. */
export interface Site {
  readonly hub: Hub;
  readonly backplane: FakeBackplane;
  readonly edge: TestEdge;
}

export class World {
  readonly clock = new ManualClock();
  readonly cluster = new FakeCluster(this.clock);
  readonly limits: Partial<HubLimits>;
  /** What the hubs logged. */
  readonly logged: string[] = [];
  #sites = 0;

  readonly #operatorSecret: string | undefined;

  constructor(limits: Partial<HubLimits> = {}, operatorSecret?: string) {
    this.limits = limits;
    this.#operatorSecret = operatorSecret;
  }

  site(): Site {
    this.#sites += 1;
    const backplane = this.cluster.server();
    const note =
      (level: string) =>
      (message: string, fields?: object): void => {
        this.logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
      };
    const logger: Logger = {
      debug: () => {},
      info: note("info"),
      warn: note("warn"),
      error: note("error"),
    };
    const hub = new Hub({
      backplane,
      server: `s${this.#sites}`,
      build: "1.2.3",
      secret,
      operatorSecret: this.#operatorSecret,
      clock: this.clock,
      random: seededRandom(this.#sites),
      logger,
      limits: this.limits,
    });
    // The fake is started when the call returns.
    void hub.start();
    return { hub, backplane, edge: new TestEdge(hub, () => this.clock.now(), `edge${this.#sites}`) };
  }

  settle(): void {
    this.cluster.settle();
  }

  /** Somebody who has said hello and is in these rooms. What was heard until then is taken away. */
  person(site: Site, nick: string, ...rooms: readonly string[]): TestClient {
    const client = site.edge.open();
    client.say({ type: "hello", version: 1, nick }, ...rooms.map((room) => ({ type: "join", room })));
    this.settle();
    const [first, ...others] = client.heard();
    if (first?.type !== "welcome") throw new Error(`${nick} is not welcome: ${JSON.stringify(first)}`);
    const joined = others.filter(({ type }) => type === "joined").length;
    if (joined !== rooms.length) throw new Error(`${nick} is in ${joined} rooms: ${JSON.stringify(others)}`);
    return client;
  }

  /** Says something and gives what the same client hears once all is done. */
  ask(client: TestClient, ...requests: readonly (object | string)[]): ServerMessage[] {
    client.say(...requests);
    this.settle();
    return client.heard();
  }
}
