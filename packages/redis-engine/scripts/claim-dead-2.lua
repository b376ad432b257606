-- Takes a dead node over for reaping. A claim runs out too, so the rows of a node whose reaper died are reaped as well.
--
-- KEYS[1] nodes by lease expiry
-- KEYS[2] nodes being reaped by claim expiry
-- ARGV[1] claim in ms
-- Returns the node or ''.
-- @include clock
for _, node in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE')) do
  redis.call('ZREM', KEYS[1], node)
  redis.call('ZADD', KEYS[2], 0, node)
end
local due = redis.call('ZRANGE', KEYS[2], '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)
if #due == 0 then return '' end
redis.call('ZADD', KEYS[2], now + ARGV[1], due[1])
return due[1]
