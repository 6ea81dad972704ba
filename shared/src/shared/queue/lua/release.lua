-- Hands back entries that a consumer will not finish: as idle as can be, and with the delivery count
-- that they came with (nought for one that was fresh), as if they had not been fetched: no attempt is
-- burnt. Then forgets this consumer, if nothing is pending for it any more.
--
-- KEYS  1 lane
-- ARGV  1 group   2 consumer   3 idle time in ms   4.. pairs: entry id, delivery count
-- Reply how many were handed back
local released = 0
for i = 4, #ARGV, 2 do
  local id = ARGV[i]
  local mine = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])
  if not mine.err and #mine == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', ARGV[3], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
    released = released + 1
  end
end
local left = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if not left.err and #left == 0 then
  redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return released
