-- The nodes of a user's presence rows in one text, so that publishing can ask for those of many users at once, and beside it
-- how many rows a node has where it has more than one, so that a row that comes or goes costs the same however many there
-- are. Needs the local `base` (key prefix with hash tag).

-- Returns whether the node was not among them.
local function noteNode(user, node)
  local nodes = redis.call('GET', base .. USER_NODES .. user)
  if not nodes then
    redis.call('SET', base .. USER_NODES .. user, node)
  elseif not string.find(' ' .. nodes .. ' ', ' ' .. node .. ' ', 1, true) then
    redis.call('SET', base .. USER_NODES .. user, nodes .. ' ' .. node)
  else
    return false
  end
  return true
end

local function forgetNode(user, node)
  local left = {}
  for other in string.gmatch(redis.call('GET', base .. USER_NODES .. user) or '', '%S+') do
    if other ~= node then left[#left + 1] = other end
  end
  if #left > 0 then
    redis.call('SET', base .. USER_NODES .. user, table.concat(left, ' '))
  else
    redis.call('DEL', base .. USER_NODES .. user)
  end
end

-- From the rows themselves, where those of a node of an earlier release were not counted.
local function noteNodesAgain(user)
  redis.call('DEL', base .. USER_NODES .. user)
  local rows = redis.call('HGETALL', base .. PRESENCE .. user)
  for i = 2, #rows, 2 do noteNode(user, string.match(rows[i], '^%S+')) end
end

local function countRow(user, node)
  local counts = base .. USER_NODE_ROWS .. user
  if noteNode(user, node) then
    -- The first is counted by the name: nearly all users have one connection. A node of an earlier release may have taken
    -- rows away and left their count.
    redis.call('HDEL', counts, node)
  elseif redis.call('HINCRBY', counts, node, 1) == 1 then
    redis.call('HSET', counts, node, 2)
  end
end

-- After a row of the node was taken away. `mayHaveMore`: the node lives, and may be of an earlier release, which does not count.
local function discountRow(user, node, mayHaveMore)
  local counts = base .. USER_NODE_ROWS .. user
  if redis.call('EXISTS', base .. PRESENCE .. user) == 0 then
    redis.call('DEL', counts, base .. USER_NODES .. user)
    return
  end
  local left = redis.call('HINCRBY', counts, node, -1)
  if left > 1 then return end
  redis.call('HDEL', counts, node)
  if left == 1 then return end
  if mayHaveMore then noteNodesAgain(user) else forgetNode(user, node) end
end
