/** What the script `mark` does (scripts.ts): raises how far a room was read, unless it was read that far already. */
export const raiseMark = `
local ROOM, EPOCH, SEQ, MOST, TTL = ARGV[6], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
local known = redis.call('HGET', RECORDS, ROOM)
local old = known and cjson.decode(known)
if not old or old.epoch ~= EPOCH or old.seq < SEQ then
  local time = redis.call('TIME')
  local clock = time[1] * 1000 + math.floor(time[2] / 1000)
  local value = string.format('{"epoch":%s,"seq":%.0f,"at":%.0f}', cjson.encode(EPOCH), SEQ, clock)
  redis.call('HSET', RECORDS, ROOM, value)
  changed('r', cjson.encode({key = ROOM, value = value}))
  if redis.call('HLEN', RECORDS) > MOST then
    local all, oldest, at = redis.call('HGETALL', RECORDS), nil, math.huge
    for index = 1, #all, 2 do
      local mark = cjson.decode(all[index + 1])
      if mark.at < at then oldest, at = all[index], mark.at end
    end
    redis.call('HDEL', RECORDS, oldest)
  end
end
redis.call('PEXPIRE', META, TTL)
redis.call('PEXPIRE', RECORDS, TTL)
return {epoch, v}`;
