/**
 * The sockets that a balancer's workers accept from, held by the process above them for as long as it lives, so that
 * workers may follow one another without a connection lost in between (net/held-socket.ts).
 *
 * Several workers have a socket each at the same address, because the system then spreads newcomers evenly. The socket of
 * one that died is let go, so that nobody waits in a queue that nobody empties, and bound again for its successor. A
 * balancer that was alone when it started has one socket for all: it keeps that, and newcomers are taken by whoever is
 * first.
 */
import { HeldSocket, holdSocket } from "../../net/held-socket.ts";
import type { Inherited, Listener } from "../../net/listener.ts";
import { type Address, parseAddress } from "../../protocol/address.ts";

/** See the head of this file. */
export class Doors {
  /** Where, as people write it, with the real port. */
  readonly address: string;
  readonly #isShared: boolean;
  /** Undefined: let go, to be bound again. */
  readonly #sockets: (HeldSocket | undefined)[];

  private constructor(first: HeldSocket, isShared: boolean) {
    this.address = first.address;
    this.#isShared = isShared;
    this.#sockets = [first];
  }

  /**
   * Binds sockets for several workers.
   * @throws ListenError
   */
  static bind(at: Address): Doors {
    return new Doors(holdSocket(at, true), true);
  }

  /** Holds the socket that a process listens on by itself. */
  static of(listener: Listener): Doors {
    return new Doors(new HeldSocket(listener), false);
  }

  /**
   * The sockets of one of `count` workers; each socket is somebody's.
   * @throws ListenError
   */
  socketsOf(index: number, count: number): Inherited[] {
    while (this.#isShared && this.#sockets.length < count) this.#sockets.push(undefined);
    return this.#placesOf(index, count).map((place) => {
      const { address, descriptor } = (this.#sockets[place] ??= holdSocket(parseAddress(this.address), true));
      return { address, descriptor };
    });
  }

  /** That worker is gone, and its successor is not there yet. */
  abandoned(index: number, count: number): void {
    if (!this.#isShared) return;
    for (const place of this.#placesOf(index, count)) this.#letGo(place);
  }

  close(): void {
    for (const place of this.#sockets.keys()) this.#letGo(place);
  }

  #letGo(place: number): void {
    this.#sockets[place]?.close();
    this.#sockets[place] = undefined;
  }

  #placesOf(index: number, count: number): number[] {
    const { length } = this.#sockets;
    if (length < count) return [index % length];
    return [...this.#sockets.keys()].filter((place) => place % count === index);
  }
}
