-- The nodes of a user's presence rows in one text, so that publishing can ask for those of many users at once, and beside it
-- how many rows each node has, so that a row that comes or goes costs the same however many there are. Needs the local
-- `base` (key prefix with hash tag).
local function noteNode(user, node)
  local nodes = redis.call('GET', base .. USER_NODES .. user)
  if not nodes then
    redis.call('SET', base .. USER_NODES .. user, node)
  elseif not string.find(' ' .. nodes .. ' ', ' ' .. node .. ' ', 1, true) then
    redis.call('SET', base .. USER_NODES .. user, nodes .. ' ' .. node)
  end
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
  redis.call('HINCRBY', base .. USER_NODE_ROWS .. user, node, 1)
  -- Also when it is not the first: a node of an earlier release may have taken rows away without discounting them.
  noteNode(user, node)
end

-- After a row of the node was taken away.
local function discountRow(user, node)
  local counts = base .. USER_NODE_ROWS .. user
  local left = redis.call('HINCRBY', counts, node, -1)
  if redis.call('EXISTS', base .. PRESENCE .. user) == 0 then
    redis.call('DEL', counts, base .. USER_NODES .. user)
    return
  end
  if left > 0 then return end
  redis.call('HDEL', counts, node)
  if left == 0 then forgetNode(user, node) else noteNodesAgain(user) end
end
