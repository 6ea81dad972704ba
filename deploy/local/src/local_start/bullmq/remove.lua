-- Takes a job that has not begun out of its BullMQ queue, with all that BullMQ keeps of it.
--
-- KEYS  1 wait, 2 paused, 3 prioritized, 4 delayed, 5 the job's hash
-- ARGV  1 the job's id, 2 its data as it was published, 3 the queue's prefix with its colon ("bull:orders:")
-- Reply 1 it is removed
--       0 it had begun, or was removed by somebody else: nothing was changed
--       2 its data is another one by now: nothing was changed
--
-- It never takes a job from a worker: what is in none of the four places stays as it is.

local id = ARGV[1]

local data = redis.call('HGET', KEYS[5], 'data')
if data and data ~= ARGV[2] then
  return 2
end

-- From the tail, where the oldest jobs are.
local taken = redis.call('LREM', KEYS[1], -1, id) > 0
  or redis.call('LREM', KEYS[2], -1, id) > 0
  or redis.call('ZREM', KEYS[3], id) > 0
  or redis.call('ZREM', KEYS[4], id) > 0
if not taken then
  return 0
end

-- Left behind, it would turn away the next job of the same deduplication id for ever.
local deduplication = redis.call('HGET', KEYS[5], 'deid')
if deduplication then
  local key = ARGV[3] .. 'de:' .. deduplication
  if redis.call('GET', key) == id then
    redis.call('DEL', key, ARGV[3] .. 'dn:' .. deduplication)
  end
end

redis.call('DEL', KEYS[5], KEYS[5] .. ':logs', KEYS[5] .. ':dependencies', KEYS[5] .. ':processed',
  KEYS[5] .. ':failed', KEYS[5] .. ':unsuccessful')
return 1
