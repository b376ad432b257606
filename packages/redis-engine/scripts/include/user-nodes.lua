-- The nodes of a user's presence rows in one text, so that publishing can ask for those of many users at once. Needs the
-- local `base` (key prefix with hash tag).
local function noteNode(user, node)
  local nodes = redis.call('GET', base .. USER_NODES .. user)
  if not nodes then
    redis.call('SET', base .. USER_NODES .. user, node)
  elseif not string.find(' ' .. nodes .. ' ', ' ' .. node .. ' ', 1, true) then
    redis.call('SET', base .. USER_NODES .. user, nodes .. ' ' .. node)
  end
end

-- After rows were taken away.
local function noteNodesAgain(user)
  redis.call('DEL', base .. USER_NODES .. user)
  local nodes, seen = {}, {}
  for _, row in ipairs(redis.call('HVALS', base .. PRESENCE .. user)) do
    local node = string.match(row, '^%S+')
    if not seen[node] then
      seen[node] = true
      nodes[#nodes + 1] = node
    end
  end
  if #nodes > 0 then redis.call('SET', base .. USER_NODES .. user, table.concat(nodes, ' ')) end
end
