/** What the script `record` does (scripts.ts): sets a record, unless this change is one of the last that were made. */
export const setRecord = `
local known = redis.call('HGET', META, 'changes')
local changes = known and cjson.decode(known) or {}
for _, once in ipairs(changes) do
  if once == ARGV[8] then return {epoch, v} end
end
changes[#changes + 1] = ARGV[8]
while #changes > tonumber(ARGV[9]) do table.remove(changes, 1) end
redis.call('HSET', META, 'changes', cjson.encode(changes))
redis.call('HSET', RECORDS, ARGV[6], ARGV[7])
changed('r', cjson.encode({key = ARGV[6], value = ARGV[7]}))
return {epoch, v}`;
