/** What this folder says, as it stands in the catalogue of each language (tui/language). */

/** See above; names are as shown, the rest is named by what goes in. */
export interface PeerWords {
  /** BCP 47, for times. */
  readonly locale: string;
  readonly listening: (port: number) => string;
  readonly listeningOn: (port: number, host: string) => string;
  readonly inMesh: (name: string) => string;
  readonly invited: (name: string) => string;
  readonly admitted: (name: string) => string;
  readonly admittedId: (id: string) => string;
  readonly admittedHint: (name: string) => string;
  readonly linked: (name: string, path: string) => string;
  readonly unlinked: (name: string, why: string) => string;
  readonly dialFailed: (address: string, why: string) => string;
  readonly keyChanged: (address: string) => string;
  readonly keyKnown: (id: string) => string;
  readonly keyNow: (id: string) => string;
  readonly keyForget: (address: string) => string;
  readonly ownFork: string;
  readonly fork: (name: string) => string;
  readonly clockAhead: (name: string, minutes: number) => string;
  readonly clockBehind: (name: string, minutes: number) => string;
  readonly nearby: (address: string) => string;
  readonly lanFailed: (message: string) => string;
  readonly notSaved: (message: string) => string;
  readonly removed: (name: string, by: string) => string;
  readonly paths: Readonly<Record<"local" | "vpn" | "direct" | "relay", string>>;
  readonly connected: string;
  readonly you: string;
  readonly verified: string;
  readonly byInvite: string;
  readonly notVerified: string;
  readonly through: (names: string) => string;
  readonly away: string;
  readonly nothingWrong: string;
  readonly workedSince: string;
  readonly failuresInARow: (count: number) => string;
  readonly from: (address: string) => string;
  readonly times: (count: number) => string;
  /** Sentences for failure codes; what is not here is told in the words of failures.ts and reasons.ts. */
  readonly failures: Readonly<Record<string, string>>;
  /** The same for whoever came to our port, where that is another sentence. */
  readonly knocks: Readonly<Record<string, string>>;
  readonly idUnknown: string;
  readonly nobodyCalled: (name: string) => string;
  readonly severalCalled: (name: string, choices: readonly string[]) => string;
}
