-- Takes a router's sign of life away, unless there is a newer one.
--
-- KEYS[1] signs of life of the group, by node
-- KEYS[2] the same nodes by the number of their last sign
-- ARGV[1] node
-- ARGV[2] its sign of life as it was seen
-- Returns 1, or 0 when it is another one now, or none.
local beats, order, node, seen = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
if redis.call('HGET', beats, node) ~= seen then return 0 end
redis.call('ZREM', order, node)
return redis.call('HDEL', beats, node)
