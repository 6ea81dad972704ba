-- Hands back entries that were fetched and never started: as idle as can be, with a delivery count
-- of nought, so that the next fetch takes them as fresh and no attempt is burnt. Then forgets this
-- consumer, if nothing is pending for it any more.
--
-- KEYS  1 lane
-- ARGV  1 group   2 consumer   3 idle time in ms   4.. entry ids
-- Reply how many were handed back
local released = 0
for i = 4, #ARGV do
  local id = ARGV[i]
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2]) == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', ARGV[3], 'RETRYCOUNT', 0, 'JUSTID')
    released = released + 1
  end
end
if #redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return released
