-- The last acknowledgement of a stream.
--
-- KEYS[1] base: prefix with hash tag; the keys of the stream are built from it (same slot)
-- ARGV[1] epoch if the stream doesn't exist (include/tops.lua)
-- ARGV[2] ttl of its meta in ms
-- ARGV[3] stream
-- Returns {epoch, offset}; offset 0 for none.
local base = KEYS[1]
-- @include clock
-- @include tops
-- @include acknowledgements
local top = topOf(ARGV[3], ARGV[1], ARGV[2])
return { top.epoch, acknowledgedIn(top, base .. ACKNOWLEDGED .. ARGV[3]) }
