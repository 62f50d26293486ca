/**
 * When the next picture is drawn.
 *
 * A key is answered at once. What others do is gathered: after a quiet time it is drawn almost at once, and then only so
 * often that keys find the program idle and the line to the terminal free. What a picture took, writing included, sets
 * the pause after it, so a slow machine and a slow line get fewer pictures of a busy room, and keys are as fast as ever.
 */
import type { Clock, Timer } from "../../protocol/clock.ts";
import { screenLimits } from "../../protocol/limits.client.ts";

export class Pace {
  readonly #clock: Clock;
  readonly #draw: () => void;
  #timer: Timer | undefined;
  /** When the last picture was there (monotonic ms), and how long the next one waits for its sake. */
  #drawnAt = Number.NEGATIVE_INFINITY;
  #pauseMs = 0;

  /** @param draw has to call {@link Pace.paint} */
  constructor(clock: Clock, draw: () => void) {
    this.#clock = clock;
    this.#draw = draw;
  }

  /** A picture of what others do is due, but not yet. */
  get holdsBack(): boolean {
    return this.#timer !== undefined;
  }

  /** Something that is shown has changed. */
  due(): void {
    const left = this.#drawnAt + this.#pauseMs - this.#clock.monotonic();
    this.#timer ??= this.#clock.after(Math.max(screenLimits.frameGatherMs, left), this.#draw);
  }

  /** Paints now, whatever was due. @param picture returns the characters it wrote */
  paint(picture: () => number): void {
    this.stop();
    const start = this.#clock.monotonic();
    const characters = picture();
    this.#drawnAt = this.#clock.monotonic();
    const { frameMs, frameMostMs, frameShare, frameBytesPerSecond } = screenLimits;
    const byTime = (this.#drawnAt - start) * frameShare;
    const byLine = (characters / frameBytesPerSecond) * 1_000;
    this.#pauseMs = Math.min(frameMostMs, Math.max(frameMs, byTime, byLine));
  }

  stop(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }
}
