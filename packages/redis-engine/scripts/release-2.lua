-- Takes presence rows of one node away.
--
-- KEYS[1] base: prefix with hash tag; keys of users are built from it (same slot)
-- KEYS[2] connections of this node with their users
-- ARGV two for each connection: connection, user
-- Returns the number of rows taken away.
local base, removed, users = KEYS[1], 0, {}

-- @include user-nodes

for i = 1, #ARGV, 2 do
  local connection, user = ARGV[i], ARGV[i + 1]
  removed = removed + redis.call('HDEL', base .. PRESENCE .. user, connection)
  redis.call('SREM', KEYS[2], connection .. ' ' .. user)
  users[user] = true
end
for user in pairs(users) do noteNodesAgain(user) end
return removed
