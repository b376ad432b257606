-- Takes a dead node over for reaping. A claim runs out too, so the rows of a node whose reaper died are reaped as well.
--
-- KEYS[1] nodes by lease expiry
-- KEYS[2] nodes being reaped by claim expiry
-- ARGV[1] claim in ms
-- ARGV[2] node whose lease has not moved while others' did, '' for none
-- ARGV[3] the score it was seen with
-- Returns the node to reap or ''.
-- @include clock
local nodes, dead = KEYS[1], KEYS[2]
local claimMs, still, score = ARGV[1], ARGV[2], ARGV[3]
-- One that refreshed after it was looked at lives.
if still ~= '' and redis.call('ZSCORE', nodes, still) == score then
  redis.call('ZREM', nodes, still)
  redis.call('ZADD', dead, 0, still)
end
local due = redis.call('ZRANGE', dead, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)
if #due == 0 then return '' end
redis.call('ZADD', dead, now + claimMs, due[1])
return due[1]
