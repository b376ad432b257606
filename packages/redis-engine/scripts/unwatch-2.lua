-- The node has no subscriber of the stream any more.
--
-- KEYS[1] nodes interested in the stream
-- KEYS[2] interests of this node
-- ARGV[1] node (with its life)
-- ARGV[2] stream
-- Returns 1.
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[2])
return 1
