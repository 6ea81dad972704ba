#!lua flags=no-writes
-- The epoch of a queue, and the time of the server.
--
-- KEYS  1 control
-- Reply {epoch ('' where closed), ms since 1970}
local life = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local control = redis.call('HMGET', KEYS[1], 'epoch', 'life')
local time = redis.call('TIME')
return {control[2] == life and control[1] or '', time[1] * 1000 + math.floor(time[2] / 1000)}
