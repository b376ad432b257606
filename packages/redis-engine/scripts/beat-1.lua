-- Writes a router's sign of life and shows those of all routers of its group.
--
-- KEYS[1] signs of life of the group, by node
-- ARGV[1] node
-- ARGV[2] its sign of life, '' to take it away
-- ARGV[3] ms that the signs are kept after the last one
-- Returns {node, sign of life, …}.
local beats, node, beat, keptMs = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if beat == '' then
  redis.call('HDEL', beats, node)
else
  redis.call('HSET', beats, node, beat)
  redis.call('PEXPIRE', beats, keptMs)
end
return redis.call('HGETALL', beats)
