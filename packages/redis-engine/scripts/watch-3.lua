-- From now on the node gets what is published to the stream.
--
-- KEYS[1] nodes interested in the stream
-- KEYS[2] interests of this node
-- KEYS[3] inbox sequence of this node, which exists while it is registered
-- ARGV[1] node (with its life)
-- ARGV[2] stream
-- Returns 1.
-- Errors: UNKNOWN_NODE.
if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply('UNKNOWN_NODE ' .. ARGV[1]) end
redis.call('HSET', KEYS[1], ARGV[1], '1')
redis.call('SADD', KEYS[2], ARGV[2])
return 1
