/**
 * The Lua scripts, in which everything that must be atomic happens.
 *
 * Two kinds, by where their keys live in a Redis Cluster (the part of a key in braces decides):
 * - room scripts work on one room's keys: its log (a stream whose entry ids are the positions), the idempotency keys,
 *   members, records, and `meta`: epoch, last position and time, `v` (rises with each change of members or records),
 *   `changes` (what the last changes of records are called), `node` (Cluster: who has confirmed the epoch, see below);
 * - people scripts work on the one place for the whole cluster: nicks, sessions, grace, servers.
 *
 * Every room script begins with `enter_room`, which guards the epoch. The caller says the highest position that it has
 * seen under which epoch; if the store has less, its tail is gone (a failover to a replica that lagged), and a new epoch
 * begins, so that no position is given twice under one. In a Cluster a room whose slot has moved to another node is not
 * served until the caller has made sure that all servers have compared their positions (comparison.ts): it is told
 * `moved` and the node, and comes again with the node's name. NODE is empty without a Cluster, `*` to compare only.
 *
 * Events are published inside the scripts. They begin with a letter, the epoch, and a number: `E` consecutive entries
 * (position of the first, time, lengths, then their bodies), `p` presence and `r` a record (v, then JSON), `x` a new epoch.
 */
import { createHash } from "node:crypto";
import { addressCopies } from "./address-script.ts";
import { raiseMark } from "./mark-script.ts";
import { publishEntries } from "./publish-script.ts";
import { setRecord } from "./record-script.ts";

/** Keys of a room, in the order in which room scripts expect them. */
export const roomParts = ["meta", "log", "keys", "members", "records", "copies"] as const;
/** Keys of the people, in the order in which people scripts expect them. */
export const peopleParts = [
  "nicks",
  "sessions",
  "grace",
  "servers",
  "counts",
  "ending",
  "births",
  "compared",
] as const;

const room = `
local META, LOG, KEYS_, MEMBERS, RECORDS, COPIES = unpack(KEYS)
local CHANNEL, NEW_EPOCH, SEEN_EPOCH, SEEN_SEQ, NODE = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local whole = function(number) return string.format('%.0f', number) end
local epoch, seq, at, v
-- Reads the room. Returns a node's name if the room has moved there and nobody has confirmed it.
local enter_room = function()
  local meta = redis.call('HMGET', META, 'epoch', 'seq', 'at', 'v', 'node')
  epoch, seq, at, v = meta[1], tonumber(meta[2] or 0), tonumber(meta[3] or 0), tonumber(meta[4] or 0)
  if NODE ~= '' and NODE ~= '*' then
    local node = redis.call('CLUSTER', 'MYID')
    if meta[5] and meta[5] ~= node and NODE ~= node then return node end
    if meta[5] ~= node then redis.call('HSET', META, 'node', node) end
  end
  local lost = epoch and epoch == SEEN_EPOCH and seq < SEEN_SEQ
  if lost or not epoch then
    epoch = NEW_EPOCH
    redis.call('HSET', META, 'epoch', epoch)
    if lost then redis.call('PUBLISH', CHANNEL, 'x' .. epoch .. ' 0\\n') end
  end
end
local changed = function(kind, json)
  v = v + 1
  redis.call('HSET', META, 'v', whole(v))
  redis.call('PUBLISH', CHANNEL, kind .. epoch .. ' ' .. whole(v) .. '\\n' .. json)
end
-- A member is stored as born:nick, who is away as born:nick:words. Nicks have no colon.
local split = function(value) return string.match(value, '^(%d+):([^:]*)(.*)$') end
local node = enter_room()
if node then
  local process = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  return {'moved', node, process .. '-' .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')}
end
`;

const people = `
local NICKS, SESSIONS, GRACE, SERVERS, COUNTS, ENDING, BIRTHS, COMPARED = unpack(KEYS)
local PREFIX = ARGV[1]
local now = function()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local read = function(session)
  local stored = redis.call('HGET', SESSIONS, session)
  return stored and cjson.decode(stored)
end
local write = function(session, record) redis.call('HSET', SESSIONS, session, cjson.encode(record)) end
local rooms_of = function(record)
  local rooms = {}
  for name in pairs(record.rooms) do rooms[#rooms + 1] = name end
  return rooms
end
local count = function(name, change)
  local members = tonumber(redis.call('ZINCRBY', COUNTS, change, name))
  if members <= 0 then redis.call('ZREM', COUNTS, name) end
end
-- Ends a session here. Its rooms are left by the caller, who then says so; until then it is remembered as ending.
local finish = function(session, record)
  if redis.call('HGET', NICKS, record.key) == session then redis.call('HDEL', NICKS, record.key) end
  redis.call('HDEL', SESSIONS, session)
  redis.call('ZREM', GRACE, session)
  for name in pairs(record.rooms) do count(name, -1) end
  record.ended = now()
  redis.call('HSET', ENDING, session .. ' ' .. record.born, cjson.encode(record))
  return {session, record.born, record.nick, rooms_of(record)}
end
local say = function(server, message) redis.call('PUBLISH', PREFIX .. 'server:' .. server, message) end
`;

const bodies = {
  /** ARGV: most that are remembered, then key, log, … → epoch, (log, seq, at)…, the seq of what was logged already or 0. */
  address: `${room}
${addressCopies}`,

  /**
   * ARGV: keys kept, entries kept (0 all), oldest time kept (0 all), and for each room, whose keys follow each other: channel,
   * epoch and position seen, how many entries, the bodies' lengths, all bodies, then the entries' keys
   * → for each room an error, or epoch, first, at, then for each entry that was logged already its index from 1, its seq and
   * at. All others are `first` and what follows, in their order.
   */
  publish: `${room}
${publishEntries}`,

  /**
   * KEYS: of further rooms, of which only `meta` is needed, that key. ARGV: of each of those its channel, and the epoch and
   * position seen → for each room an error, or epoch, seq, v.
   */
  check: `${room}
local replies = {{epoch, seq, v}}
for number = 2, (#ARGV - 5) / 3 + 1 do
  META, CHANNEL = KEYS[number], ARGV[number * 3]
  SEEN_EPOCH, SEEN_SEQ = ARGV[number * 3 + 1], tonumber(ARGV[number * 3 + 2])
  local done, reason = pcall(enter_room)
  if done then replies[number] = {epoch, seq, v}
  else replies[number] = type(reason) == 'table' and reason or {err = tostring(reason)} end
end
return replies`,

  /** → epoch, seq, v, members (session, value, …), records (key, value, …). */
  snapshot: `${room}
return {epoch, seq, v, redis.call('HGETALL', MEMBERS), redis.call('HGETALL', RECORDS)}`,

  /** → epoch, seq, v, records (key, value, …). */
  records: `${room}
return {epoch, seq, v, redis.call('HGETALL', RECORDS)}`,

  /** ARGV: after or '', before or '', limit, bytes → epoch, first, last, (seq, at, body)…, ascending. */
  history: `${room}
local AFTER, BEFORE, LIMIT, BYTES = ARGV[6], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local oldest = redis.call('XRANGE', LOG, '-', '+', 'COUNT', 1)[1]
local number = function(id) return tonumber(string.match(id, '^(%d+)')) end
local first = oldest and number(oldest[1]) or seq + 1
local reply = {epoch, first, seq}
if LIMIT <= 0 then return reply end
local low = AFTER == '' and '-' or whole(tonumber(AFTER) + 1) .. '-0'
local high = BEFORE == '' and '+' or whole(tonumber(BEFORE) - 1) .. '-0'
if high == '0-0' or high == '-1-0' then return reply end
local found = AFTER == '' and redis.call('XREVRANGE', LOG, high, low, 'COUNT', LIMIT)
  or redis.call('XRANGE', LOG, low, high, 'COUNT', LIMIT)
local taken, bytes = 0, 0
for _, entry in ipairs(found) do
  bytes = bytes + #entry[2][4]
  if taken > 0 and bytes > BYTES then break end
  taken = taken + 1
end
local from, to, step = 1, taken, 1
if AFTER == '' then from, to, step = taken, 1, -1 end
for index = from, to, step do
  local entry = found[index]
  reply[#reply + 1] = number(entry[1])
  reply[#reply + 1] = tonumber(entry[2][2])
  reply[#reply + 1] = entry[2][4]
end
return reply`,

  /** ARGV: session, born, nick, `:` and what is said while away. Puts a member in, or makes it so → epoch, v. */
  put: `${room}
local SESSION, BORN, NICK, AWAY = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local value = BORN .. ':' .. NICK .. AWAY
local member = function(nick, away)
  return {session = SESSION, nick = nick, away = away ~= '' and string.sub(away, 2) or nil}
end
local old = redis.call('HGET', MEMBERS, SESSION)
if old ~= value then
  redis.call('HSET', MEMBERS, SESSION, value)
  local _, nick, away = split(old or '0:')
  if not old then
    changed('p', cjson.encode({kind = 'join', member = member(NICK, AWAY)}))
  else
    if nick ~= NICK then
      changed('p', cjson.encode({kind = 'rename', member = member(nick, away), to = NICK}))
    end
    if away ~= AWAY then changed('p', cjson.encode({kind = 'away', member = member(NICK, AWAY)})) end
  end
end
return {epoch, v}`,

  /** ARGV: session, born. Takes a member out, if it is still the same → epoch, v. */
  drop: `${room}
local SESSION, BORN = ARGV[6], ARGV[7]
local born, nick = split(redis.call('HGET', MEMBERS, SESSION) or '0:')
if born == BORN then
  redis.call('HDEL', MEMBERS, SESSION)
  changed('p', cjson.encode({kind = 'leave', member = {session = SESSION, nick = nick}}))
end
return {epoch, v}`,

  /** ARGV: key, value, what the change is called, how many of those are kept → epoch, v. */
  record: `${room}
${setRecord}`,

  /** ARGV: room, epoch, seq, marks kept, ms kept. Raises how far a room was read → epoch, v. */
  mark: `${room}
${raiseMark}`,

  /** ARGV: session, nick, nick's likeness key, fence, server → ok, born, rooms, `:` and what is said while away | taken | stale. */
  claim: `${people}
local SESSION, NICK, KEY, FENCE, SERVER = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local record = read(SESSION)
if record and tonumber(FENCE) < tonumber(record.fence) then return {'stale'} end
local owner = redis.call('HGET', NICKS, KEY)
if owner and owner ~= SESSION and redis.call('HEXISTS', SESSIONS, owner) == 1 then return {'taken'} end
if record then
  if record.server ~= SERVER then say(record.server, 'taken ' .. SESSION) end
  if record.key ~= KEY then redis.call('HDEL', NICKS, record.key) end
else
  record = {born = string.format('%.0f', redis.call('INCR', BIRTHS)), rooms = {}}
end
record.nick, record.key, record.fence, record.server = NICK, KEY, FENCE, SERVER
redis.call('HSET', NICKS, KEY, SESSION)
redis.call('ZREM', GRACE, SESSION)
write(SESSION, record)
return {'ok', record.born, rooms_of(record), record.away or ''}`,

  /** ARGV: session, server, `:` and what is said while away, or nothing → ok, born, nick, rooms | gone. */
  away: `${people}
local record = read(ARGV[2])
if not record or record.server ~= ARGV[3] then return {'gone'} end
record.away = ARGV[4] ~= '' and ARGV[4] or nil
write(ARGV[2], record)
return {'ok', record.born, record.nick, rooms_of(record)}`,

  /** ARGV: session, server → ok | gone. */
  here: `${people}
local record = read(ARGV[2])
return {record and record.server == ARGV[3] and 'ok' or 'gone'}`,

  /** ARGV: session, server, room → ok, born, nick, away | gone. */
  enter: `${people}
local record = read(ARGV[2])
if not record or record.server ~= ARGV[3] then return {'gone'} end
if not record.rooms[ARGV[4]] then
  record.rooms[ARGV[4]] = 1
  write(ARGV[2], record)
  count(ARGV[4], 1)
end
return {'ok', record.born, record.nick, record.away or ''}`,

  /** ARGV: session, server, room → ok, born | gone. */
  leave: `${people}
local record = read(ARGV[2])
if not record or record.server ~= ARGV[3] then return {'gone'} end
if record.rooms[ARGV[4]] then
  record.rooms[ARGV[4]] = nil
  write(ARGV[2], record)
  count(ARGV[4], -1)
end
return {'ok', record.born}`,

  /** ARGV: session, server → session, born, nick, rooms | nothing. */
  release: `${people}
local record = read(ARGV[2])
if not record or record.server ~= ARGV[3] then return {} end
return finish(ARGV[2], record)`,

  /** ARGV: session, born. Its rooms have been left. */
  ended: `${people}
redis.call('HDEL', ENDING, ARGV[2] .. ' ' .. ARGV[3])
return 1`,

  /** ARGV: nick's likeness key → session, nick, away | nothing. */
  lookup: `${people}
local session = redis.call('HGET', NICKS, ARGV[2])
local record = session and read(session)
return record and {session, record.nick, record.away or ''} or {}`,

  /** ARGV: session, payload. */
  tell: `${people}
local record = read(ARGV[2])
if record and not redis.call('ZSCORE', GRACE, ARGV[2]) then
  say(record.server, 'told ' .. ARGV[2] .. ' ' .. ARGV[3])
end
return 1`,

  /** ARGV: limit → room, members, …. */
  rooms: `${people}
if tonumber(ARGV[2]) <= 0 then return {} end
return redis.call('ZREVRANGE', COUNTS, 0, ARGV[2] - 1, 'WITHSCORES')`,

  /**
   * ARGV: server, lease ms, grace ms, how long an end may take ms. A server's sign of life, and what time brings: servers
   * whose lease is over, sessions whose grace is over, ends that somebody began and did not finish.
   * → whether this server was still known, then the ends to be done, as release gives them.
   */
  beat: `${people}
local SERVER, LEASE, GRACE_MS, END_MS = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = now()
local known = redis.call('ZSCORE', SERVERS, SERVER) and 1 or 0
redis.call('ZADD', SERVERS, time + LEASE, SERVER)
local dead = redis.call('ZRANGEBYSCORE', SERVERS, '-inf', time)
local stored = {}
if #dead > 0 then
  local gone = {}
  for _, server in ipairs(dead) do
    gone[server] = true
    redis.call('ZREM', SERVERS, server)
  end
  stored = redis.call('HGETALL', SESSIONS)
  for index = 1, #stored, 2 do
    if gone[cjson.decode(stored[index + 1]).server] then
      redis.call('ZADD', GRACE, 'NX', time + GRACE_MS, stored[index])
    end
  end
end
local reply = {known}
for _, session in ipairs(redis.call('ZRANGEBYSCORE', GRACE, '-inf', time, 'LIMIT', 0, 200)) do
  local record = read(session)
  if record then reply[#reply + 1] = finish(session, record) else redis.call('ZREM', GRACE, session) end
end
if known == 1 then
  stored = redis.call('HGETALL', ENDING)
  for index = 1, math.min(#stored, 200), 2 do
    local record = cjson.decode(stored[index + 1])
    if record.ended < time - END_MS then
      local session = string.match(stored[index], '^(.*) %S+$')
      reply[#reply + 1] = {session, record.born, record.nick, rooms_of(record)}
    end
  end
end
return reply`,

  /** ARGV: server, release or grace, grace ms. A server stops → the ends to be done. */
  bye: `${people}
local SERVER, RELEASE, GRACE_MS = ARGV[2], ARGV[3], tonumber(ARGV[4])
redis.call('ZREM', SERVERS, SERVER)
local reply = {}
local time = now()
local stored = redis.call('HGETALL', SESSIONS)
for index = 1, #stored, 2 do
  local record = cjson.decode(stored[index + 1])
  if record.server == SERVER then
    if RELEASE == 'release' then reply[#reply + 1] = finish(stored[index], record)
    else redis.call('ZADD', GRACE, 'NX', time + GRACE_MS, stored[index]) end
  end
end
return reply`,

  /** ARGV: server, instance → servers alive that have not compared their positions with this instance of the store. */
  compared: `${people}
redis.call('HSET', COMPARED, ARGV[2] .. ' ' .. ARGV[3], 1)
redis.call('EXPIRE', COMPARED, 3600)
local missing = {}
for _, server in ipairs(redis.call('ZRANGEBYSCORE', SERVERS, now(), '+inf')) do
  if redis.call('HEXISTS', COMPARED, server .. ' ' .. ARGV[3]) == 0 then missing[#missing + 1] = server end
end
return missing`,
} as const;

/** A script's name. */
export type ScriptName = keyof typeof bodies;

/** A script as Redis knows it. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

function load(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}

/** All scripts. */
export const scripts = Object.fromEntries(
  Object.entries(bodies).map(([name, source]) => [name, load(source)]),
) as Readonly<Record<ScriptName, Script>>;
