-- Ends the lease of a node at once; its rows are to be reaped.
--
-- KEYS[1] nodes by lease expiry
-- KEYS[2] nodes being reaped by claim expiry
-- KEYS[3] status of the node
-- ARGV[1] node (with its life)
-- ARGV[2] ms until somebody else may claim it
-- Returns 1.
-- @include clock
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
redis.call('DEL', KEYS[3])
return 1
