-- Takes a chunk of a dead node's rows in one partition away. Call until nothing is left.
--
-- KEYS[1] base: prefix with hash tag; keys of users and streams are built from it (same slot)
-- KEYS[2] inbox sequence of the node
-- KEYS[3] its inbox
-- KEYS[4] room in that inbox
-- KEYS[5] its connections
-- KEYS[6] its interests
-- ARGV[1] node (with its life)
-- ARGV[2] rows a chunk, about
-- Returns {1 when there may be more, connection, user, row, …}.
local base, sequence, inbox, room, itsConnections, itsInterests = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local node, rowsMax = ARGV[1], ARGV[2]
-- First of all, so that nothing is routed to it and no row is added behind the reaper's back.
redis.call('UNLINK', sequence, inbox, room)
redis.call('ZREM', base .. SHARED_READERS, node)

-- @include user-nodes

local reply = { 0 }
local connections = redis.call('SPOP', itsConnections, rowsMax)
for i = 1, #connections do
  local connection, user = string.match(connections[i], '^(%S+) (.*)$')
  local row = redis.call('HGET', base .. PRESENCE .. user, connection)
  -- The connection may have been registered again by the node's next life.
  if row and string.match(row, '^%S+') == node then
    redis.call('HDEL', base .. PRESENCE .. user, connection)
    discountRow(user, node)
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] = connection, user, row
  end
end
local streams = redis.call('SPOP', itsInterests, rowsMax)
for i = 1, #streams do redis.call('HDEL', base .. INTEREST .. streams[i], node) end
reply[1] = redis.call('EXISTS', itsConnections, itsInterests) > 0 and 1 or 0
return reply
