#!lua flags=allow-oom
-- Takes work for one consumer: retries that are due go back to their lanes, entries that nobody
-- renews are taken over, the rest is read by priority. Never more than `count` entries.
--
-- KEYS  1 control   2 retries   3 retry bodies   4 high   5 normal   6 low
-- ARGV  1 group   2 consumer   3 count
--       4 lease in ms: an entry that is idle for longer has no living owner
--       5 what to do with such entries: 'no' look at nothing, 'look' only tell, 'take' one if it is a
--         suspect, as many as fit if they were handed back before they were started
--       6 places that the low lane has a right to   7 that the normal lane has: a busy lane starves none
-- Reply {state, wait in ms, ends, entries, ms since 1970}
--       state: 'open', 'closed' (no epoch in this life of the server: nothing is fetched), or
--       'stalled' (told to look, and there are entries without an owner)
--       wait: until the next retry is due, at most 1000
--       ends: for each lane the last id that was delivered, where all were read to their end; else none
--       entry: {lane, id, fields, deliveries before this one}
--
-- It works on a server whose memory is full as well (allow-oom): work out is what makes room there.
-- A lost group is made again from the beginning of its stream: never at '$', which would skip what
-- waits there.
local group, consumer, lease = ARGV[1], ARGV[2], tonumber(ARGV[4])
local life = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local control = redis.call('HMGET', KEYS[1], 'epoch', 'life')
if not control[1] or control[2] ~= life then
  return {'closed', 1000, {}, {}, 0}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, job in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 128)) do
  local body = redis.call('HGET', KEYS[3], job)
  if body then
    redis.call('XADD', KEYS[3 + tonumber(string.sub(body, 1, 1))], '*', '__data__', string.sub(body, 2))
  end
  redis.call('ZREM', KEYS[2], job)
  redis.call('HDEL', KEYS[3], job)
end

local function of_group(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if not string.find(reply.err, 'NOGROUP', 1, true) then
      error(reply.err)
    end
    for i = 4, 6 do
      local made = redis.pcall('XGROUP', 'CREATE', KEYS[i], group, '0', 'MKSTREAM')
      if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
        error(made.err)
      end
    end
    return redis.call(...)
  end
  return reply
end

local entries, left = {}, tonumber(ARGV[3])

local function taken(lane, list, deliveries)
  for _, entry in ipairs(list) do
    entries[#entries + 1] = {lane, entry[1], entry[2], deliveries}
    left = left - 1
  end
end

if ARGV[5] ~= 'no' then
  -- Before Redis 7.2 a read of new entries that finds none is no sign of life of its consumer; one of its own
  -- history is, here from behind the end of it.
  of_group('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', KEYS[5], '18446744073709551615-1')
  for lane = 1, 3 do
    local key = KEYS[3 + lane]
    for _, stalled in ipairs(of_group('XPENDING', key, group, 'IDLE', lease, '-', '+', math.max(left, 1))) do
      local id, deliveries = stalled[1], stalled[4]
      if deliveries > 0 and ARGV[5] == 'look' then
        return {'stalled', 0, {}, entries, now}
      end
      if deliveries == 0 and left > 0 then
        taken(lane, redis.call('XCLAIM', key, group, consumer, lease, id), 0)
      elseif deliveries > 0 and #entries == 0 then
        taken(lane, redis.call('XCLAIM', key, group, consumer, lease, id), deliveries)
        if #entries > 0 then
          return {'open', 0, {}, entries, now}
        end
      end
    end
  end
end

local empty = {}

local function read(lane, count)
  count = math.min(count, left)
  if count > 0 and not empty[lane] then
    local reply = of_group('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', KEYS[3 + lane], '>')
    local list = reply and reply[1][2] or {}
    empty[lane] = #list < count
    taken(lane, list, 0)
  end
end

read(3, tonumber(ARGV[6]))
read(2, tonumber(ARGV[7]))
for lane = 1, 3 do
  read(lane, left)
end

local wait, last = 1000, {}
if left > 0 then
  local due = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  if due[2] then
    wait = math.max(1, math.min(wait, due[2] - now))
  end
  for lane = 1, 3 do
    for _, info in ipairs(of_group('XINFO', 'GROUPS', KEYS[3 + lane])) do
      local is_ours = false
      for i = 1, #info, 2 do
        if info[i] == 'name' then
          is_ours = info[i + 1] == group
        elseif is_ours and info[i] == 'last-delivered-id' then
          last[lane] = info[i + 1]
        end
      end
    end
  end
end
return {'open', wait, last, entries, now}
