/**
 * For how long the decoders of peer mode are fuzzed, and with what: rubbish, and valid bytes that were tampered with,
 * which get further.
 *
 * RTCHAT_FUZZ_SECONDS is shared out among all fuzzing tests of `fuzz.test.ts` and `codec.test.ts` (20 s if not set; with
 * 600 the two run for ten minutes). A failure prints its seed and the smallest input that shows it.
 */
import * as fc from "fast-check";

/** Fuzzing tests in the two files. */
const tests = 9;

/** What one of them gets. */
const fuzzMs = (Number(process.env["RTCHAT_FUZZ_SECONDS"] ?? 20) * 1_000) / tests;

/** For `fc.assert`: as many runs as the time allows. */
export const forAWhile = { numRuns: 1e9, interruptAfterTimeLimit: fuzzMs, markInterruptAsFailure: false };

/** Room for the test around it. */
export const fuzzTimeoutMs = fuzzMs + 20_000;

/** Valid bytes with some of them changed, cut off, put in or said twice. */
export function tampered(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    at: fc.nat(),
    how: fc.constantFrom("set", "cut", "insert", "repeat"),
    value: fc.integer({ min: 0, max: 255 }),
  });
  return fc.tuple(valid, fc.array(change, { maxLength: 4 })).map(([bytes, changes]) => {
    let made: Buffer = Buffer.from(bytes);
    for (const { at: anywhere, how, value } of changes) {
      if (made.length === 0) break;
      const at = anywhere % made.length;
      if (how === "set") made[at] = value;
      else if (how === "cut") made = made.subarray(0, at);
      else if (how === "insert")
        made = Buffer.concat([made.subarray(0, at), Buffer.of(value), made.subarray(at)]);
      else made = Buffer.concat([made, made.subarray(at)]);
    }
    return made;
  });
}
