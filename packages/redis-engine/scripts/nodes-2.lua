-- Nodes that are registered, with their status. One that died is among them until it is reaped: whether a lease still
-- holds is not judged by Redis' clock, which may be stepped.
--
-- KEYS[1] base: prefix with hash tag; keys of status are built from it (same slot)
-- KEYS[2] nodes by lease expiry
-- ARGV none
-- Returns {node, status JSON or '', …}.
local reply = {}
for _, node in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  reply[#reply + 1] = node
  reply[#reply + 1] = redis.call('GET', KEYS[1] .. STATUS .. node) or ''
end
return reply
