/**
 * What the script `address` does (scripts.ts): says where the copies of direct messages go. It is decided once a message,
 * because a nick may belong to somebody else by the time that a message is repeated.
 */
export const addressCopies = `
local reply = {epoch}
for index = 7, #ARGV, 2 do
  local known = redis.call('ZSCORE', KEYS_, ARGV[index])
  local log = ARGV[index + 1]
  local logged = at
  if known then
    local id = whole(tonumber(known)) .. '-0'
    local entry = redis.call('XRANGE', LOG, id, id)[1]
    if entry then logged = tonumber(entry[2][2]) end
  elseif redis.call('HSETNX', COPIES, ARGV[index], log) == 0 then
    log = redis.call('HGET', COPIES, ARGV[index])
  elseif redis.call('HLEN', COPIES) > tonumber(ARGV[6]) then
    -- All are leftovers of messages that were never finished or repeated.
    redis.call('DEL', COPIES)
    redis.call('HSET', COPIES, ARGV[index], log)
  end
  reply[#reply + 1] = log
  reply[#reply + 1] = tonumber(known or 0)
  reply[#reply + 1] = logged
end
if redis.call('EXISTS', COPIES) == 1 then redis.call('EXPIRE', COPIES, 86400) end
return reply`;
