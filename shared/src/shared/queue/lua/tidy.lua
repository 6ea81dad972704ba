-- Forgets consumers that have not asked for long and have nothing: those that were killed stay otherwise.
-- One that lives all the same is made again by its next fetch.
--
-- KEYS  1 lane
-- ARGV  1 group   2 how long it has not asked, in ms
-- Reply how many were forgotten
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then
  return 0
end
local forgotten = 0
for _, fields in ipairs(consumers) do
  local consumer = {}
  for i = 1, #fields, 2 do
    consumer[fields[i]] = fields[i + 1]
  end
  if consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    forgotten = forgotten + 1
  end
end
return forgotten
