/** What peers say beside the chat itself, in English: whose key it is, who came in, why somebody is not there. */
export const englishPeers = {
  locale: "en-GB",
  mesh: "the mesh",
  yourId: (id: string) => `your ID is ${id}`,
  letIn: "to let one person in, give them this, good for a day:",
  inviteWritten: (path: string) =>
    `the invite is in ${path}, good for a day, for one person, who starts with it and this:`,
  fileExists: (path: string) => `${path} exists already; name another file`,
  fileNotWritten: (path: string, code: string) => `cannot write ${path}: ${code}`,
  inviteHead: "good for a day, for one person:",

  listening: (port: number) => `listening on port ${port}, all addresses`,
  listeningOn: (port: number, host: string) => `listening on port ${port} of ${host}`,
  inMesh: (name: string) => `you are in the mesh of ${name} now; /peers shows who is there`,
  invited: (name: string) => `${name} came in with an invite`,
  admitted: (name: string) => `${name} came in without an invite: trusted on first use, not verified`,
  admittedId: (id: string) => `ID ${id}`,
  admittedHint: (name: string) =>
    `/verify ${name} compares words, /remove ${name} puts them out, /lock asks for invites from now on`,
  linked: (name: string, path: string) => `connected to ${name} (${path})`,
  unlinked: (name: string, why: string) => `connection to ${name} ended: ${why}`,
  dialFailed: (address: string, why: string) => `no connection to ${address}: ${why}`,
  keyChanged: (address: string) =>
    `REFUSED: the key of ${address} has changed. Somebody may be pretending to be your peer`,
  keyKnown: (id: string) => `known ${id}`,
  keyNow: (id: string) => `now   ${id}`,
  keyForget: (address: string) =>
    `if you know why (a new device, a new address), start once with --forget ${address}`,
  ownFork: "your key is used elsewhere too, or an old copy of its folder was put back: others see two of you",
  fork: (name: string) =>
    `${name} has signed two different messages under one number: somebody may have a copy of that key`,
  clockAhead: (name: string, minutes: number) => `the clock of ${name} is ${minutes} min ahead of yours`,
  clockBehind: (name: string, minutes: number) => `the clock of ${name} is ${minutes} min behind yours`,
  nearby: (address: string) =>
    `somebody runs rtchat at ${address} on this network; to join them: /connect ${address}`,
  lanFailed: (message: string) => `not looking for members on this network any more: ${message}`,
  notSaved: (message: string) => `not saved: ${message}`,
  removed: (name: string, by: string) => `${by} put ${name} out for good`,
  youRemoved: (by: string) =>
    `${by} put this device out of the mesh for good: nobody gets what is written here. To talk to them again, ask for an invite and start with it and another --data DIR`,
  saidRemoved: (name: string) =>
    `${name} says that this device was put out of the mesh for good, and takes nothing that is written here. To talk to them again, ask for an invite and start with it and another --data DIR`,
  unread: (count: number) =>
    `nobody got what you wrote since: ${count === 1 ? "1 message" : `${count} messages`}`,
  reachesNobody: "this device was put out of the mesh, so nobody would get it",
  out: "put out of the mesh",
  paths: { local: "on this machine", vpn: "over a VPN", direct: "directly", relay: "through the server" },
  connected: "connected",
  you: "you",
  verified: "verified",
  byInvite: "by invite",
  notVerified: "not verified",
  through: (names: string) => `through ${names}`,
  away: "away",
  nothingWrong: "nothing has gone wrong so far",
  workedSince: "worked since",
  failuresInARow: (count: number) => `${count} in a row`,
  from: (address: string) => `from ${address}`,
  times: (count: number) => `${count} times`,
  /** English is the language of failures.ts and reasons.ts themselves. */
  failures: {} as Readonly<Record<string, string>>,
  knocks: {
    http: "a browser or another program that speaks HTTP came to this port",
    "chat-line": "a chat client came to this port, which is for peers",
    "not-tls": "another program came to this port",
    refused: "they ended it",
    version: "they run another version of rtchat",
    "other-key": "their key is not the one expected",
  } as Readonly<Record<string, string>>,
  idUnknown: "nobody with this ID is in the mesh",
  nobodyCalled: (name: string) => `nobody is called ${name}; /peers shows who is there`,
  severalCalled: (name: string, choices: readonly string[]) =>
    `${name} could be several people: write ${choices.join(" or ")}`,

  isYou: "that is you",
  isVerified: (name: string) => `${name} is verified on this device`,
  compare: (name: string) =>
    `compare these words with ${name}, who sees the same with /verify and your name:`,
  ifEqual: (name: string) =>
    `if all twelve are equal, type /verify ${name} yes; if not, somebody is between you`,
  locked: "only invites let somebody in now",
  unlocked: "whoever knows an address may come in now",
  isOut: (name: string) => `${name} is out for good; only invites let somebody in now (/unlock changes that)`,
  dialling: (address: string) => `dialling ${address}; /why tells what went wrong`,
  notHeld: "nobody else has it yet; it is kept, and sent when you run rtchat peer again",
  noEdits: "between peers what was said stays as it was said",
} as const;
