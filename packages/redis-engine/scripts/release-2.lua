-- Takes presence rows of one node away.
--
-- KEYS[1] base: prefix with hash tag; keys of users are built from it (same slot)
-- KEYS[2] connections of this node with their users
-- ARGV two for each connection: connection, user
-- Returns the number of rows taken away.
local base, itsConnections, removed = KEYS[1], KEYS[2], 0

-- @include user-nodes

for i = 1, #ARGV, 2 do
  local connection, user = ARGV[i], ARGV[i + 1]
  local row = redis.call('HGET', base .. PRESENCE .. user, connection)
  if row then
    redis.call('HDEL', base .. PRESENCE .. user, connection)
    discountRow(user, string.match(row, '^%S+'))
    removed = removed + 1
  end
  redis.call('SREM', itsConnections, connection .. ' ' .. user)
end
return removed
