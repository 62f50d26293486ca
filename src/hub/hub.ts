/**
 * The hub: the chat itself, for all edges attached to one server.
 *
 *   edge ─▶ Attachment ─▶ Session ─▶ RequestQueue ─▶ requests/ ─▶ backplane
 *   edge ◀─ Group ◀─ Room ◀────────────────────────────────────── backplane
 *
 * Lines go in at the top and come back as answers; what the backplane says goes from its room to each edge's group. The
 * two meet in one place only: whoever joins a room is given its state and put into the group in one turn.
 */
import type { BackplaneHealth, BackplaneListener } from "../backplane/backplane.ts";
import type { EdgePort, HubHost, HubPort, HubReport } from "../edge/trunk.ts";
import type { Timer } from "../protocol/clock.ts";
import { Attachment } from "./attachment.ts";
import { Core } from "./core.ts";
import type { HubOptions } from "./options.ts";
import { hearWord } from "./words.ts";
import { requestHandlers } from "./requests/table.ts";

/** See above. */
export class Hub implements HubHost {
  readonly #core: Core;
  readonly #attachments = new Set<Attachment>();
  #draining = false;
  /** Fires when a trouble with the backplane has lasted. */
  #trouble: Timer | undefined;
  /** The log has said that the backplane is not well. */
  #warned = false;

  constructor(options: HubOptions) {
    this.#core = new Core(options, requestHandlers);
  }

  /** Connects to the backplane; resolves when sessions are welcome. Rejects as {@link Backplane.start} does. */
  async start(): Promise<void> {
    const core = this.#core;
    const listener: BackplaneListener = {
      taken: (session) => core.taken(session),
      told: (session, word) => {
        if (!hearWord(core, session, word)) {
          core.logger.debug("a word from another server that this one does not know", { session });
        }
      },
      health: (health) => this.#tellHealth(health),
    };
    await core.backplane.start(listener);
    core.bans.open();
  }

  /**
   * Ends it: forgets the sessions that are left without a word to them, and disconnects from the backplane.
   * @param release see {@link Backplane.stop}
   */
  async stop(release: boolean): Promise<void> {
    for (const attachment of this.#attachments) attachment.detach();
    this.#attachments.clear();
    this.#draining = true;
    this.#trouble?.stop();
    this.#core.close();
    await this.#core.backplane.stop(release);
  }

  attach(edge: EdgePort, name: string): { readonly port: HubPort; detach(): void } {
    const attachment = new Attachment(this.#core, edge, name);
    this.#attachments.add(attachment);
    // After the caller has the port: an edge may move its sessions at once.
    if (this.#draining) queueMicrotask(() => this.#attachments.has(attachment) && edge.drain());
    return {
      port: attachment,
      detach: () => {
        if (this.#attachments.delete(attachment)) attachment.detach();
      },
    };
  }

  /** Asks all edges to take their sessions elsewhere. Those that have no elsewhere tell their clients to come back. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#trouble?.stop();
    for (const { edge } of this.#attachments) edge.drain();
  }

  report(): HubReport {
    const { backplane, server, build, rooms, messages } = this.#core;
    const { state, roundTripMs } = backplane.health();
    let sessions = 0;
    for (const attachment of this.#attachments) sessions += attachment.size;
    return {
      server,
      cluster: backplane.cluster,
      build,
      sessions,
      rooms: rooms.count,
      messages,
      backplane: state,
      backplaneMs: roundTripMs,
      draining: this.#draining,
    };
  }

  /**
   * A keeper that stops is followed by another within some ms, and a server that stops itself cares no more: the log has
   * only a trouble that lasts, and its end. The report tells at once.
   */
  #tellHealth({ state, detail }: BackplaneHealth): void {
    const { logger, clock, limits } = this.#core;
    this.#trouble?.stop();
    this.#trouble = undefined;
    if (this.#draining) return;
    const warn = (): void => {
      this.#warned = true;
      logger.warn(`the backplane is ${state}`, { detail });
    };
    if (state === "ok") {
      const fields = { detail };
      if (this.#warned) logger.info("the backplane is well again", fields);
      else logger.debug("the backplane is well", fields);
      this.#warned = false;
    } else if (state === "down") warn();
    else this.#trouble = clock.after(limits.troubleMs, warn);
  }
}
