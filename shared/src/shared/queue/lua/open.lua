#!lua flags=allow-oom
-- Opens a queue that is closed in this life of the server.
--
-- KEYS  1 control
-- ARGV  1 token: the epoch to open it under
-- Reply the epoch: the token, or that of whoever was first
--
-- It works on a server whose memory is full as well (allow-oom), as one that was restarted may be:
-- while the queue is closed nothing is fetched, and so no room is made.
local life = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local control = redis.call('HMGET', KEYS[1], 'epoch', 'life')
if control[2] == life and control[1] then
  return control[1]
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'life', life)
return ARGV[1]
