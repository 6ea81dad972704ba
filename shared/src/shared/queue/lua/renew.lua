-- Renews the leases of entries that are still this consumer's.
--
-- KEYS  1 lane
-- ARGV  1 group   2 consumer   3.. entry ids
-- Reply the ids that are another's by now, or gone
--
-- JUSTID leaves the delivery count alone. The guard keeps a late heartbeat from stealing back an
-- entry that was taken over.
local lost = {}
for i = 3, #ARGV do
  local id = ARGV[i]
  local mine = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])
  if mine.err or #mine == 0 then
    lost[#lost + 1] = id
  else
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', 0, 'JUSTID')
  end
end
return lost
