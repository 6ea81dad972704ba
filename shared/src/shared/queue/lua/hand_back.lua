-- Hands back all that a consumer has and will not finish: as idle as can be, and with the delivery count
-- that it came with (nought where it was fresh), as if it had not been fetched: no attempt is burnt. That
-- includes entries whose fetch it never heard the reply of. Then forgets this consumer.
--
-- KEYS  1 lane
-- ARGV  1 group   2 consumer   3 idle time in ms
-- Reply how many were handed back
local held = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 10000, ARGV[2])
if held.err then
  return 0
end
for _, entry in ipairs(held) do
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry[1], 'IDLE', ARGV[3], 'RETRYCOUNT', math.max(entry[4] - 1, 0), 'JUSTID')
end
if #held == 0 then
  redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return #held
