-- Adds events to a queue, all of them, if the queue is open.
--
-- KEYS  1 control   2 high   3 normal   4 low
-- ARGV  1 token: opens a closed queue under this epoch; '' leaves it closed
--       2.. pairs: lane (1 high, 2 normal, 3 low), entry
-- Reply the epoch; false where the queue is closed, and then nothing was added.
--
-- An epoch names the life of the server that it was opened in: after a restart or a failover the
-- replication id is another one, and what the key says no longer counts (its last writes, and with
-- them events that were marked as sent, may be gone).
local life = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local control = redis.call('HMGET', KEYS[1], 'epoch', 'life')
local epoch = control[2] == life and control[1]
if not epoch then
  if ARGV[1] == '' then
    return false
  end
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'life', life)
end
for i = 2, #ARGV, 2 do
  redis.call('XADD', KEYS[tonumber(ARGV[i]) + 1], '*', '__data__', ARGV[i + 1])
end
return epoch
