/** One room as this server follows it, across keepers: missed entries are read from the file. */
import type { Snapshot } from "../backplane.ts";
import { RoomView } from "../room-view.ts";
import type { LogReader } from "./reader.ts";

export class Subscription extends RoomView {
  /** The number the present keeper has given the room. */
  number = -1;

  /** A snapshot of another keeper: says what has changed. Entries are told by the generator, a page a step. */
  *recover(
    snapshot: Snapshot,
    reader: Pick<LogReader, "page">,
    { recoveryEntries, recoveryBytes }: { readonly recoveryEntries: number; readonly recoveryBytes: number },
  ): Generator<void, void, void> {
    if (this.closed) return;
    if (!this.continues(snapshot)) return this.startOver(snapshot);
    this.arrivals(snapshot);
    while (this.last < snapshot.position.seq && !this.closed) {
      const page = reader.page({
        room: this.room,
        after: this.last,
        limit: recoveryEntries,
        maxBytes: recoveryBytes,
      });
      if (!this.continueWith(page)) return this.startOver(snapshot);
      yield;
    }
    this.finish(snapshot);
  }
}
