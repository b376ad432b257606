-- Nodes whose lease holds, with their status.
--
-- KEYS[1] base: prefix with hash tag; keys of status are built from it (same slot)
-- KEYS[2] nodes by lease expiry
-- ARGV none
-- Returns {node, status JSON or '', …}.
-- @include clock
local reply = {}
for _, node in ipairs(redis.call('ZRANGE', KEYS[2], now, '+inf', 'BYSCORE')) do
  reply[#reply + 1] = node
  reply[#reply + 1] = redis.call('GET', KEYS[1] .. STATUS .. node) or ''
end
return reply
