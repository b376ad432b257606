-- Takes a chunk of a dead node's rows in one partition away. Call until nothing is left.
--
-- KEYS[1] base: prefix with hash tag; keys of users and streams are built from it (same slot)
-- KEYS[2] inbox sequence of the node
-- KEYS[3] its inbox
-- KEYS[4] its connections
-- KEYS[5] its interests
-- ARGV[1] node (with its life)
-- ARGV[2] rows a chunk, about
-- Returns {1 when there may be more, connection, user, row, …}.
local base = KEYS[1]
-- First of all, so that nothing is routed to it and no row is added behind the reaper's back.
redis.call('UNLINK', KEYS[2], KEYS[3])

-- @include user-nodes

local reply, users = { 0 }, {}
local connections = redis.call('SPOP', KEYS[4], ARGV[2])
for i = 1, #connections do
  local connection, user = string.match(connections[i], '^(%S+) (.*)$')
  users[user] = true
  local row = redis.call('HGET', base .. PRESENCE .. user, connection)
  -- The connection may have been registered again by the node's next life.
  if row and string.match(row, '^%S+') == ARGV[1] then
    redis.call('HDEL', base .. PRESENCE .. user, connection)
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] = connection, user, row
  end
end
for user in pairs(users) do noteNodesAgain(user) end
local streams = redis.call('SPOP', KEYS[5], ARGV[2])
for i = 1, #streams do redis.call('HDEL', base .. INTEREST .. streams[i], ARGV[1]) end
reply[1] = redis.call('EXISTS', KEYS[4], KEYS[5]) > 0 and 1 or 0
return reply
