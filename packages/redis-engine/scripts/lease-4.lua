-- Registers a node or refreshes its lease, and shows the leases that were refreshed longest ago.
--
-- KEYS[1] nodes by lease expiry
-- KEYS[2] status of this node
-- KEYS[3] nodes being reaped by claim expiry
-- KEYS[4] whether all nodes know of the shared log
-- ARGV[1] node (with its life)
-- ARGV[2] lease in ms
-- ARGV[3] status JSON
-- ARGV[4] '1' to register, '' to refresh
-- ARGV[5] leases shown
-- then nodes whose leases are shown as well
-- Returns {1, number of nodes, 1 when all of them know of the shared log or 0, node, its score, …}, or {0} when a lease to refresh is not there, or {-1} when it is not
--   there because the node is being reaped.
-- @include clock
-- @include lives
local nodes, status, dead, sharing = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local node, leaseMs, statusJson, registers, shown = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5]
if not registers and not redis.call('ZSCORE', nodes, node) then
  return { redis.call('ZSCORE', dead, node) and -1 or 0 }
end
redis.call('ZADD', nodes, now + leaseMs, node)
redis.call('SET', status, statusJson, 'PX', 3 * leaseMs)
local isSharing = redis.call('GET', sharing)
if not isSharing then
  -- Looked at twice a second, whoever asks: there may be very many.
  isSharing = '1'
  for _, other in ipairs(redis.call('ZRANGE', nodes, 0, -1)) do
    if not knowsSharedLog(other) then isSharing = '0' end
  end
  redis.call('SET', sharing, isSharing, 'PX', 500)
end
local reply = { 1, redis.call('ZCARD', nodes), tonumber(isSharing), unpack(redis.call('ZRANGE', nodes, 0, shown - 1, 'WITHSCORES')) }
for i = 6, #ARGV do
  local score = redis.call('ZSCORE', nodes, ARGV[i])
  if score then
    reply[#reply + 1] = ARGV[i]
    reply[#reply + 1] = score
  end
end
return reply
