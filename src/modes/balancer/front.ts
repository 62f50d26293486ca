/**
 * What an operator has before them: the admin endpoint, and the signals by which a balancer reads its list again (SIGHUP)
 * or renews itself (SIGUSR2).
 *
 * Invariant: whatever is wrong with what is read anew, the balancer goes on with what it has, and the log says why.
 */
import { type AdminServer, listenAdmin } from "../../admin/listen.ts";
import type { BackendSpec } from "../../balancer/address.ts";
import type { BalancerControl, BalancerView } from "../../balancer/view.ts";
import { Failure } from "../../cli/errors.ts";
import type { ModeContext } from "../../cli/run.ts";
import { formatAddress, parseAddress } from "../../protocol/address.ts";
import { systemClock } from "../../protocol/clock.ts";
import { type Logger, silentLogger } from "../../protocol/logger.ts";
import { type ClientTls, lastDay, readClientTls } from "../client-tls.ts";
import type { balancerMode } from "../flags/balancer.ts";
import { systemListenFailure } from "../ports.ts";
import { readClusterSecret } from "../secret.ts";
import type { GaveUp } from "../up/supervisor.ts";
import { type BalancerConfig, checkAddresses, readAdminToken, readBackends } from "./parts.ts";
import { Workforce } from "./workforce.ts";

/** What flags only name, read. */
export interface Means {
  readonly token: string | undefined;
  readonly backends: readonly BackendSpec[];
  readonly tls: ClientTls | undefined;
}

/** @throws Failure, UsageError */
export function readMeans(config: BalancerConfig, log: Logger): Means {
  checkAddresses(config);
  return { token: readAdminToken(config), backends: readBackends(config), tls: readClientTls(config, log) };
}

/** What it begins with. */
export interface FrontParts {
  readonly config: BalancerConfig;
  readonly context: ModeContext<typeof balancerMode.flags>;
  readonly means: Means;
  readonly view: BalancerView;
  readonly control: BalancerControl;
  /** The workers; or, of a balancer that is one process, what makes it the process above some, at the first renewal. */
  readonly workforce: Workforce | (() => Workforce);
}

const entriesOf = (backends: readonly BackendSpec[]) =>
  backends.map((spec) => `${formatAddress(spec)}*${spec.weight}`);

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** See the head of this file. */
export class Front {
  readonly #context: FrontParts["context"];
  readonly #log: Logger;
  readonly #makeWorkforce: (() => Workforce) | undefined;
  readonly #gaveUp = Promise.withResolvers<GaveUp>();
  #config: BalancerConfig;
  #means: Means;
  #view: BalancerView;
  #control: BalancerControl;
  #workforce: Workforce | undefined;
  #admin: AdminServer | undefined;
  #isRenewing = false;

  constructor({ config, context, means, view, control, workforce }: FrontParts) {
    this.#config = config;
    this.#context = context;
    this.#log = context.log;
    this.#means = means;
    this.#view = view;
    this.#control = control;
    if (workforce instanceof Workforce) this.#employ(workforce);
    else this.#makeWorkforce = workforce;
  }

  /** The workers, once there was a renewal. */
  get workforce(): Workforce | undefined {
    return this.#workforce;
  }

  /** Resolves, if ever, when a worker of a renewal cannot be kept running. */
  get gaveUp(): Promise<GaveUp> {
    return this.#gaveUp.promise;
  }

  /**
   * Opens the admin endpoint, if there is to be one.
   * @throws Failure
   */
  open(): void {
    this.#admin = this.#listen(this.#config, this.#means);
  }

  /** Says that the balancer serves, and obeys signals from now on. */
  ready(listen: string): void {
    const { tls } = this.#means;
    const facts = {
      listen,
      ...(this.#admin === undefined ? {} : { admin: this.#admin.address }),
      ...(tls === undefined ? {} : { certificateUntil: lastDay(tls) }),
    };
    this.#context.ready(facts, {
      reload: () => {
        void this.#reload();
        // Whoever is asked for its figures looks at its certificate: so the log says at once what came of a renewal. With
        // several workers there may be a moment in which none answers; the next look is soon.
        if (this.#means.tls !== undefined) this.#view.snapshot().catch(() => {});
      },
      renew: () => void this.#renew(),
    });
  }

  async close(): Promise<void> {
    await this.#admin?.stop();
  }

  /** A list that cannot be read changes nothing. Never rejects. */
  async #reload(): Promise<void> {
    const from = this.#config.backendsFile ?? "--backends";
    const refused = (detail: string) => this.#log.error(`the backends stay as they are: ${detail}`, { from });
    try {
      const backends = readBackends(this.#config);
      // A file that is being written, most likely. Whoever means it says so through the admin endpoint.
      if (backends.length === 0) return refused(`${from} names none`);
      const outcome = await this.#control.replace(entriesOf(backends));
      if (!outcome.ok) return refused(outcome.message);
      this.#means = { ...this.#means, backends };
      this.#log.info("backends read again", { from, backends: backends.length });
    } catch (error) {
      refused(reasonOf(error));
    }
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    if (this.#isRenewing) return this.#log.warn("a renewal is under way already");
    this.#isRenewing = true;
    try {
      const config = this.#context.readAgain();
      const means = this.#check(config);
      this.#log.info("renewing: starting new workers", { workers: config.workers });
      const workforce = this.#workforce ?? this.#employ(this.#makeWorkforce?.());
      // What was said through the admin endpoint holds on, unless the list as it is written has changed.
      const list = entriesOf(means.backends).join() === entriesOf(this.#means.backends).join();
      await workforce.renew(config, { list });
      await this.#replaceAdmin(config, means);
      this.#config = config;
      this.#means = means;
      const { version, retiring } = await this.#view.snapshot();
      this.#log.info("renewed: new workers take the clients", { version, clientsToCome: retiring });
    } catch (error) {
      if (this.#workforce?.isStopping === true) return;
      const hint = error instanceof Failure && error.hint !== "" ? `; ${error.hint}` : "";
      this.#log.error(`not renewed, everything stays as it is: ${reasonOf(error)}${hint}`);
    } finally {
      this.#isRenewing = false;
    }
  }

  /**
   * What can be wrong is found before anything is begun.
   * @throws Failure, UsageError
   */
  #check(config: BalancerConfig): Means {
    const { host, port } = this.#config;
    if (config.host !== host || config.port !== port) {
      throw new Failure(
        `clients would come back to ${formatAddress({ host, port })}, and the address would be ${formatAddress(config)}`,
        "leave --host and --port as they are, or restart",
      );
    }
    readClusterSecret(config);
    return readMeans(config, silentLogger);
  }

  #employ(workforce: Workforce | undefined): Workforce {
    if (workforce === undefined) throw new Error("there are no workers");
    this.#workforce = workforce;
    this.#view = workforce.group;
    this.#control = workforce.group;
    void workforce.gaveUp.then(this.#gaveUp.resolve);
    return workforce;
  }

  /** A new address, new names or another token: the endpoint is opened again, or stays as it was. */
  async #replaceAdmin(config: BalancerConfig, means: Means): Promise<void> {
    const said = ({ admin, adminHost }: BalancerConfig, { token }: Means) =>
      JSON.stringify([admin, adminHost, token]);
    if (said(config, means) === said(this.#config, this.#means)) return;
    const former = this.#admin;
    // Of the same address there can be only one.
    const isElsewhere = JSON.stringify(config.admin) !== JSON.stringify(this.#config.admin);
    if (!isElsewhere) await former?.stop();
    // Port 0 stays the one that was found.
    const admin = isElsewhere || former === undefined ? config.admin : parseAddress(former.address);
    try {
      this.#admin = this.#listen({ ...config, admin }, means);
    } catch (error) {
      return this.#log.error(`the admin endpoint stays as it was: ${reasonOf(error)}`);
    }
    if (isElsewhere) await former?.stop();
    this.#log.info("admin endpoint opened again", { admin: this.#admin?.address ?? "none" });
  }

  #listen({ admin, adminHost }: BalancerConfig, { token }: Means): AdminServer | undefined {
    if (admin === false) return undefined;
    // They change at the first renewal.
    const view: BalancerView = {
      snapshot: () => this.#view.snapshot(),
      sessions: (query) => this.#view.sessions(query),
    };
    const control: BalancerControl = {
      add: (entries) => this.#control.add(entries),
      replace: (entries) => this.#control.replace(entries),
      change: (id, wish) => this.#control.change(id, wish),
      drain: (id, wish) => this.#control.drain(id, wish),
      ready: (id) => this.#control.ready(id),
      remove: (id) => this.#control.remove(id),
    };
    try {
      return listenAdmin(admin, {
        view,
        control,
        token,
        logger: this.#log,
        clock: systemClock,
        hostNames: adminHost ?? [],
      });
    } catch (error) {
      const known = systemListenFailure(error, admin, "--admin");
      if (known === undefined) throw error;
      throw new Failure(`admin endpoint: ${known.message}`, `${known.hint}, or use --no-admin`, {
        cause: error,
      });
    }
  }
}
