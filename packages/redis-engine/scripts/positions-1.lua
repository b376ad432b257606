-- Current tops of streams.
--
-- KEYS[1] base: prefix with hash tag; keys of streams are built from it (same slot)
-- ARGV[1] epoch for streams that don't exist
-- then two for each stream: name, ttl of its meta in ms
-- Returns {epoch, offset, …}.
local base = KEYS[1]

-- @include tops

local reply = {}
for i = 2, #ARGV, 2 do
  local stream = ARGV[i]
  -- Nodes watch no streams of users: those who have some are known.
  local isUsers = string.find(stream, '^[^/]+/u/')
  local isUnwatched = not isUsers and redis.call('EXISTS', base .. INTEREST .. stream) == 0
  local top = topOf(base .. META .. stream, ARGV[1], ARGV[i + 1], isUnwatched)
  reply[#reply + 1] = top.epoch
  reply[#reply + 1] = top.offset
end
return reply
