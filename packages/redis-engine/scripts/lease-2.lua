-- Registers a node or refreshes its lease.
--
-- KEYS[1] nodes by lease expiry
-- KEYS[2] status of this node
-- ARGV[1] node (with its life)
-- ARGV[2] lease in ms
-- ARGV[3] status JSON
-- ARGV[4] '1' to register, '' to refresh
-- Returns 1, or 0 when a lease to refresh is not there.
-- @include clock
if ARGV[4] == '' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('SET', KEYS[2], ARGV[3], 'PX', 3 * ARGV[2])
return 1
