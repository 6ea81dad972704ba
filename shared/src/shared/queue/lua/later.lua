#!lua flags=allow-oom
-- Moves an entry from its lane to the retries, in one step, if it is still this consumer's.
--
-- KEYS  1 lane   2 retries   3 retry bodies
-- ARGV  1 group   2 consumer   3 entry id   4 lane (1, 2, 3)   5 event, run and digest of the body
--       6 delay in ms
-- Reply 1, or 0 where it stays: it is another's by now, which then decides, was wiped with its group, or
--       has no body that could be kept, and comes again when its lease has run out
--
-- Copies of one run collapse; another run, or another body under the same id, is kept apart. It works on
-- a server whose memory is full as well (allow-oom): what it writes it has just been holding.
local mine = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if mine.err or #mine == 0 then
  return 0
end
local entry = redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3])[1]
if entry then
  local body
  for i = 1, #entry[2], 2 do
    if entry[2][i] == '__data__' then
      body = entry[2][i + 1]
    end
  end
  if not body then
    return 0
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[6]), ARGV[5])
  redis.call('HSET', KEYS[3], ARGV[5], ARGV[4] .. body)
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
redis.call('XDEL', KEYS[1], ARGV[3])
return 1
