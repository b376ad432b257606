-- Topics of which some registered node reads partitions, by what the nodes tell of themselves. One who asks reads the rows of
-- all nodes, and the others are given the answer for half a second: there may be very many of both.
--
-- KEYS[1] base: prefix with hash tag; keys of status are built from it (same slot)
-- KEYS[2] nodes by lease expiry
-- KEYS[3] the answer
-- ARGV[1] ms for which it is given
-- Returns the answer, JSON: topic → true.
-- @include clock
local base, nodes, kept, keptMs = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1])
local answer = redis.call('GET', kept)
-- A clock that was stepped back would keep it for as long as the step.
if answer and redis.call('PEXPIRETIME', kept) - now <= keptMs then return answer end
local topics = {}
for _, node in ipairs(redis.call('ZRANGE', nodes, 0, -1)) do
  local status = redis.call('GET', base .. STATUS .. node)
  -- Who reads nothing has no object with members, and decoding would be the dearest part.
  if status and string.find(status, ':{"', 1, true) then
    local row = cjson.decode(status)
    -- A node of an earlier release does not tell its partitions.
    for topic in pairs(row.partitions or row.lag) do topics[topic] = true end
  end
end
answer = cjson.encode(topics)
redis.call('SET', kept, answer, 'PX', keptMs)
return answer
