/**
 * What is sealed in a mesh, and the contexts that keep one sealed thing from being passed off as another: a seal made for
 * a direct message from Ann to Bob in this mesh opens as nothing else.
 */
import type { Sealer } from "./api.ts";
import { toHex } from "./bytes.ts";

/** Sealing by the keys of one mesh and one device. */
export class MeshSeals {
  readonly #meshId: Uint8Array;
  readonly #self: Uint8Array;
  readonly #sealer: Sealer;

  constructor(meshId: Uint8Array, self: Uint8Array, sealer: Sealer) {
    this.#meshId = meshId;
    this.#self = self;
    this.#sealer = sealer;
  }

  /** A direct message of this device. @throws RangeError when `to` is no valid key */
  sealText(to: Uint8Array, text: Uint8Array): Uint8Array {
    return this.#sealer.seal(to, text, this.#context("direct", this.#self, to));
  }

  /** Opens a direct message by `author`, in the conversation with `other` (who may be the author). */
  openText(author: Uint8Array, other: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const to = Buffer.from(author).equals(this.#self) ? other : this.#self;
    return this.#sealer.open(other, sealed, this.#context("direct", author, to));
  }

  /** A mesh secret for a member, hex. @throws RangeError when `to` is no valid key */
  sealSecret(to: Uint8Array, secret: Uint8Array): string {
    return toHex(this.#sealer.seal(to, secret, this.#context("secret", this.#self, to)));
  }

  /** Opens a mesh secret that `author` sealed to this device. */
  openSecret(author: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    return this.#sealer.open(author, sealed, this.#context("secret", author, this.#self));
  }

  #context(what: string, author: Uint8Array, to: Uint8Array): Uint8Array {
    return Buffer.concat([Buffer.from(`rtchat mesh ${what} 1\n`), this.#meshId, author, to]);
  }
}
