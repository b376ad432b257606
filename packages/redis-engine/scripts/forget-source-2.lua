-- Forgets the position in a source, unless it has moved since it was read.
--
-- KEYS[1] source position
-- KEYS[2] mark of its log
-- ARGV[1] the position as it was read, '' for none
-- Returns 1, or 0 when another one is there.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
return 1
