/** Every request a client may make, and who handles it. */
import { away } from "./away.ts";
import type { RequestHandlers } from "./handler.ts";
import { hello } from "./hello.ts";
import { history } from "./history.ts";
import { introduce, relay } from "./introduce.ts";
import { join, leave } from "./join.ts";
import { ban, bans, kick, operator, unban } from "./operate.ts";
import { members, nick, rooms, typing, whois } from "./people.ts";
import { identify, read } from "./read.ts";
import { search } from "./search.ts";
import { send } from "./send.ts";
import { bye, ping } from "./simple.ts";
import { topic } from "./topic.ts";

export const requestHandlers: RequestHandlers = {
  hello,
  join,
  leave,
  send,
  history,
  members,
  rooms,
  nick,
  topic,
  search,
  whois,
  typing,
  introduce,
  relay,
  away,
  identify,
  read,
  operator,
  kick,
  ban,
  unban,
  bans,
  ping,
  bye,
};
