-- The epoch of a queue, and the time of the server.
--
-- KEYS  1 control
-- ARGV  1 token: opens a closed queue under this epoch; '' leaves it closed
-- Reply {epoch ('' where closed), ms since 1970}
local life = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local control = redis.call('HMGET', KEYS[1], 'epoch', 'life')
local epoch = control[2] == life and control[1]
if not epoch and ARGV[1] ~= '' then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'life', life)
end
local time = redis.call('TIME')
return {epoch or '', time[1] * 1000 + math.floor(time[2] / 1000)}
