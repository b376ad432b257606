-- Writes a router's sign of life and shows those of the routers of its group that have shown none for longest. All would be
-- too many to show to all.
--
-- KEYS[1] signs of life of the group, by node
-- KEYS[2] the same nodes by the number of their last sign
-- ARGV[1] node
-- ARGV[2] its sign of life, '' to take it away
-- ARGV[3] ms that the signs are kept after the last one
-- ARGV[4] signs shown at least, if there are as many
-- Returns {node, sign of life, …}.
local beats, order = KEYS[1], KEYS[2]
local node, beat, keptMs, shownMin = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if beat == '' then
  redis.call('HDEL', beats, node)
  redis.call('ZREM', order, node)
  return {}
end
local newest = tonumber(redis.call('ZRANGE', order, -1, -1, 'WITHSCORES')[2] or 0) + 1
redis.call('HSET', beats, node, beat)
redis.call('ZADD', order, newest, node)
redis.call('PEXPIRE', beats, keptMs)
redis.call('PEXPIRE', order, keptMs)
local count = redis.call('ZCARD', order)
-- Routers of an earlier release are in no order.
if redis.call('HLEN', beats) > count then return redis.call('HGETALL', beats) end
-- All that were silent while each of the others gave two signs: many may die at once.
local shown = redis.call('ZRANGE', order, '-inf', newest - 2 * count, 'BYSCORE')
if #shown < shownMin then shown = redis.call('ZRANGE', order, 0, shownMin - 1) end
local reply = {}
for _, other in ipairs(shown) do
  local sign = redis.call('HGET', beats, other)
  if sign then
    reply[#reply + 1] = other
    reply[#reply + 1] = sign
  else
    -- A router of an earlier release has taken it away.
    redis.call('ZREM', order, other)
  end
end
return reply
