/**
 * Finding each other on a local network, only when asked for (`--lan`).
 *
 * A beacon goes out every few seconds to the broadcast address of each network. A beacon of a member gives an address to
 * dial: its key is not known before the connection, but it must prove the mesh like everybody. A beacon of somebody else
 * is only told to the person, once: joining strangers is theirs to decide.
 */
import { broadcastAddresses, openBroadcast, type Broadcast } from "../../net/broadcast.ts";
import { formatAddress, type Address } from "../../protocol/address.ts";
import type { Clock, Timer } from "../../protocol/clock.ts";
import { lanLimits } from "../../protocol/limits.peer.ts";
import { makeBeacon, readBeacon } from "../lan/beacon.ts";
import type { Interfaces } from "./addresses.ts";
import type { NodeEvent } from "./events.ts";

/** What discovery needs. */
export interface LanOptions {
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly port: number;
  secrets(): readonly Uint8Array[];
  interfaces(): Interfaces;
  /** A member is at this address. May be called often for the same one. */
  found(address: Address): void;
  /** Somebody who is no member is near (once an address), or discovery has stopped. */
  event(event: NodeEvent): void;
}

/** Running discovery. */
export class LanDiscovery {
  readonly #options: LanOptions;
  readonly #broadcast: Broadcast;
  readonly #timers: readonly Timer[];
  readonly #ownSalts: string[] = [];
  readonly #told = new Set<string>();
  /** Beacons that may still be looked at in this second. */
  #budget: number = lanLimits.beaconsPerSecond;

  constructor(options: LanOptions) {
    const { clock } = options;
    this.#options = options;
    this.#broadcast = openBroadcast(lanLimits.port, {
      received: (datagram, from) => this.#received(datagram, from),
      failed: ({ message }) => options.event({ type: "lan-failed", message }),
    });
    this.#timers = [
      clock.after(lanLimits.firstBeaconMs, () => this.#beacon()),
      clock.every(lanLimits.beaconMs, () => this.#beacon()),
      clock.every(1_000, () => {
        this.#budget = lanLimits.beaconsPerSecond;
      }),
    ];
  }

  stop(): void {
    for (const timer of this.#timers) timer.stop();
    this.#broadcast.close();
  }

  #beacon(): void {
    const { clock, port, randomBytes } = this.#options;
    const beacon = makeBeacon(this.#options.secrets(), port, clock.now(), randomBytes);
    const salt = readBeacon(beacon, [], clock.now())?.salt ?? "";
    this.#ownSalts.push(salt);
    if (this.#ownSalts.length > lanLimits.ownBeaconsRemembered) this.#ownSalts.shift();
    for (const address of broadcastAddresses(this.#options.interfaces()))
      this.#broadcast.send(beacon, address);
  }

  #received(datagram: Uint8Array, from: string): void {
    if (this.#budget <= 0) return;
    this.#budget -= 1;
    const sighting = readBeacon(datagram, this.#options.secrets(), this.#options.clock.now());
    if (sighting === undefined || this.#ownSalts.includes(sighting.salt)) return;
    const address = { host: from, port: sighting.port };
    if (sighting.isMember) this.#options.found(address);
    else if (!this.#told.has(formatAddress(address)) && this.#told.size < lanLimits.nearbyTold) {
      this.#told.add(formatAddress(address));
      this.#options.event({ type: "nearby", address });
    }
  }
}
