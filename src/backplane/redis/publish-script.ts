/**
 * What the script `publish` does (scripts.ts): logs a batch of entries of each of some rooms, each once.
 *
 * Redis spends its time on calls from a script and on what they are given, hardly on what they do. So what a batch can
 * have in common it has: one ZADD tells whether any key is known already and keeps the others, bodies come and go in one
 * piece, and followers hear of all in one event. Only the entries of the stream are added one by one, because their ids
 * are the positions.
 *
 * Redis refuses a script that would grow a full memory at its first write, and no later one. What else may fail is adding
 * to a log that is none: then the keys are taken back, because a key that is kept says that its entry is in the log. What
 * goes wrong in one room is told in its place, and concerns no other.
 */
export const publishEntries = `
local WINDOW, KEEP, OLDEST = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
-- A batch of the room that was entered, whose keys are the arguments from KEY + 1 on.
local publish = function(KEY, count, LENGTHS, BODIES)
local before, last = seq, at
at = math.max(clock, last)
-- Numbers become text once, and not at each call.
local AT, add = whole(at), {}
for index = 1, count do
  add[index * 2 - 1] = whole(before + index)
  add[index * 2] = ARGV[KEY + index]
end
local reply = {epoch, before + 1, at}
local lengths, bodies, repeated = LENGTHS, BODIES, nil
if redis.call('ZADD', KEYS_, 'NX', unpack(add)) < count then
  -- Some are known, or twice in the batch: the others move up.
  repeated, lengths, bodies = {}, {}, {}
  local start, index = 1, 0
  for length in string.gmatch(LENGTHS, '%d+') do
    index = index + 1
    local known = tonumber(redis.call('ZSCORE', KEYS_, ARGV[KEY + index]))
    if known == before + index then
      seq = seq + 1
      if seq < known then redis.call('ZADD', KEYS_, seq, ARGV[KEY + index]) end
      lengths[#lengths + 1] = length
      bodies[#bodies + 1] = string.sub(BODIES, start, start + length - 1)
    else
      local id = whole(known)
      local entry = known <= before and redis.call('XRANGE', LOG, id, id)[1]
      repeated[index] = true
      reply[#reply + 1] = index
      reply[#reply + 1] = known
      reply[#reply + 1] = entry and tonumber(entry[2][2]) or known > before and at or last
    end
    start = start + length
  end
  lengths, bodies, seq = table.concat(lengths, ' '), table.concat(bodies), before
end
local start = 1
for length in string.gmatch(lengths, '%d+') do
  seq = seq + 1
  local stop = start + length
  local id = add[(seq - before) * 2 - 1]
  local added = redis.pcall('XADD', LOG, id, 'a', AT, 'b', string.sub(bodies, start, stop - 1))
  if type(added) == 'table' and added.err then
    redis.call('ZREMRANGEBYSCORE', KEYS_, id, '+inf')
    if seq - 1 > before then redis.call('HSET', META, 'seq', whole(seq - 1), 'at', AT) end
    return added
  end
  start = stop
end
if seq > before then
  local head = 'E' .. epoch .. ' ' .. add[1] .. ' ' .. AT .. ' ' .. lengths
  redis.call('PUBLISH', CHANNEL, head .. '\\n' .. bodies)
  if redis.call('EXISTS', COPIES) == 1 then redis.call('HDEL', COPIES, unpack(ARGV, KEY + 1, KEY + count)) end
  redis.call('HSET', META, 'seq', add[(seq - before) * 2 - 1], 'at', AT)
  if seq > WINDOW then redis.call('ZREMRANGEBYSCORE', KEYS_, '-inf', seq - WINDOW) end
  if KEEP > 0 then redis.call('XTRIM', LOG, 'MAXLEN', KEEP) end
  if OLDEST > 0 then
    -- As many as came, twice: so that it catches up, and never takes long.
    for _, entry in ipairs(redis.call('XRANGE', LOG, '-', '+', 'COUNT', (seq - before) * 2)) do
      if tonumber(entry[2][2]) >= OLDEST then break end
      redis.call('XDEL', LOG, entry[1])
    end
  end
end
return reply
end
local replies, next = {}, 9
for number = 1, #KEYS / 6 do
  local place, count = next, tonumber(ARGV[next + 3])
  next = next + 6 + count
  local done, reply = pcall(function()
    if number > 1 then
      META, LOG, KEYS_, MEMBERS, RECORDS, COPIES = unpack(KEYS, number * 6 - 5, number * 6)
      CHANNEL, SEEN_EPOCH, SEEN_SEQ = ARGV[place], ARGV[place + 1], tonumber(ARGV[place + 2])
      enter_room()
    end
    return publish(place + 5, count, ARGV[place + 4], ARGV[place + 5])
  end)
  if not done and type(reply) ~= 'table' then reply = {err = tostring(reply)} end
  replies[number] = reply
end
return replies`;
