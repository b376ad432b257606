-- The last acknowledgement of a stream.
--
-- KEYS[1] meta of the stream
-- KEYS[2] its acknowledgement
-- ARGV[1] epoch if the stream doesn't exist
-- ARGV[2] ttl of its meta in ms
-- Returns {epoch, offset}; offset 0 for none.
-- @include tops
-- @include acknowledgements
local top = topOf(KEYS[1], ARGV[1], ARGV[2])
return { top.epoch, acknowledgedIn(top, KEYS[2]) }
