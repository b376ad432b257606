-- Registers a node or refreshes its lease, and shows the leases that were refreshed longest ago.
--
-- KEYS[1] nodes by lease expiry
-- KEYS[2] status of this node
-- KEYS[3] nodes being reaped by claim expiry
-- ARGV[1] node (with its life)
-- ARGV[2] lease in ms
-- ARGV[3] status JSON
-- ARGV[4] '1' to register, '' to refresh
-- ARGV[5] leases shown
-- then nodes whose leases are shown as well
-- Returns {1, number of nodes, node, its score, …}, or {0} when a lease to refresh is not there, or {-1} when it is not
--   there because the node is being reaped.
-- @include clock
local nodes, status, dead = KEYS[1], KEYS[2], KEYS[3]
local node, leaseMs, statusJson, registers, shown = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5]
if not registers and not redis.call('ZSCORE', nodes, node) then
  return { redis.call('ZSCORE', dead, node) and -1 or 0 }
end
redis.call('ZADD', nodes, now + leaseMs, node)
redis.call('SET', status, statusJson, 'PX', 3 * leaseMs)
local reply = { 1, redis.call('ZCARD', nodes), unpack(redis.call('ZRANGE', nodes, 0, shown - 1, 'WITHSCORES')) }
for i = 6, #ARGV do
  local score = redis.call('ZSCORE', nodes, ARGV[i])
  if score then
    reply[#reply + 1] = ARGV[i]
    reply[#reply + 1] = score
  end
end
return reply
