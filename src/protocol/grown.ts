/**
 * A buffer of somebody who writes that has become too short, made longer.
 *
 * Doubled, so that a byte is copied a bounded number of times however many follow it. Whoever appends looks by itself
 * whether there is room, because that is asked for each field; how much of the memory is kept when all has been taken is
 * its own affair as well.
 *
 * What a stranger sends is not held in such a buffer but in plain arrays (LineSplitter, FrameDecoder), each with its
 * bound: they are made anew for every line or frame that comes in pieces, and a Buffer is made, and read from, a tenth of
 * a microsecond slower.
 */

/**
 * @param used bytes of the buffer that are in use, and copied
 * @param needed bytes there has to be room for
 * @returns memory of its own, of which only what was in use has a meaning
 */
export function grown(buffer: Uint8Array, used: number, needed: number): Buffer<ArrayBuffer> {
  const longer = Buffer.allocUnsafeSlow(Math.max(needed, buffer.length * 2));
  longer.set(buffer.subarray(0, used));
  return longer;
}
