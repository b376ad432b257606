-- Current tops of streams.
--
-- KEYS[1] base: prefix with hash tag; keys of streams are built from it (same slot)
-- ARGV[1] epoch for streams that don't exist (include/tops.lua)
-- then two for each stream: name, ttl of its meta in ms
-- Returns {epoch, offset, …}.
local base = KEYS[1]

-- @include clock
-- @include tops

local reply = {}
for i = 2, #ARGV, 2 do
  local top = topOf(ARGV[i], ARGV[1], ARGV[i + 1])
  reply[#reply + 1] = top.epoch
  reply[#reply + 1] = top.offset
end
return reply
