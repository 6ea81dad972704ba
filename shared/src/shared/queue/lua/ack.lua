-- Acknowledges entries and removes them; an entry that was acknowledged before is passed over.
--
-- KEYS  1 lane
-- ARGV  1 group   2.. entry ids
-- Reply how many were acknowledged
--
-- It is no fence: it also ends the copy of another consumer. That is right, because whoever calls it
-- has committed how the run ended.
local acked = redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
return acked
