-- From now on the node gets what is published to the streams.
--
-- KEYS[1] base: prefix with hash tag; keys of streams are built from it (same slot)
-- KEYS[2] interests of this node
-- KEYS[3] inbox sequence of this node, which exists while it is registered
-- ARGV[1] node (with its life)
-- then the streams
-- Returns 1.
-- Errors: UNKNOWN_NODE.
if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply('UNKNOWN_NODE ' .. ARGV[1]) end
for i = 2, #ARGV do redis.call('HSET', KEYS[1] .. INTEREST .. ARGV[i], ARGV[1], '1') end
redis.call('SADD', KEYS[2], unpack(ARGV, 2))
return 1
