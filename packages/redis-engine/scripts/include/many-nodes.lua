-- The nodes that get what is not for one user, and handing it to them. Needs the locals `base` (key prefix with hash tag), `call`
-- and `sharingNodesMin`, include/outbox.lua and `handAll`.
-- @include shared-log

local channelNodes = {}
local function nodesOfChannel(stream)
  local nodes = channelNodes[stream]
  if not nodes then
    nodes = call('HKEYS', base .. INTEREST .. stream)
    channelNodes[stream] = nodes
  end
  return nodes
end

local allNodes
local function nodesOfAll()
  allNodes = allNodes or call('ZRANGE', base .. NODES, 0, -1)
  return allNodes
end

local socketNodes
local function nodesWithSockets()
  if not socketNodes then
    socketNodes = {}
    for _, node in ipairs(nodesOfAll()) do
      if not isRouter(node) then socketNodes[#socketNodes + 1] = node end
    end
  end
  return socketNodes
end

-- A node's name in a row is `<id>~<life>`: an id that registered again has new rows (see src/membership.ts).
local function nodesNamed(id)
  local named = {}
  for _, node in ipairs(nodesOfAll()) do
    if string.match(node, '^(.*)~') == id then named[#named + 1] = node end
  end
  return named
end

-- Nodes that are not to be handed a message because they read it in the shared log, and the others. All who read the log
-- get what is in it, so it is only worth it for half of them.
local routes = {}
local function routeTo(nodes)
  local others, readers = {}, 0
  for i = 1, #nodes do
    if readsSharedLog(nodes[i]) then readers = readers + 1 else others[#others + 1] = nodes[i] end
  end
  local isShared = readers >= sharingNodesMin and 2 * readers >= call('ZCARD', base .. SHARED_READERS)
  routes[nodes] = isShared and { others = others, readers = readers } or { others = nodes, readers = 0 }
  return routes[nodes]
end

-- For a list of nodes that is the same one for all messages to them.
local function handMany(nodes, header, body)
  if sharingNodesMin == 0 or #nodes < sharingNodesMin then return handAll(nodes, header, body) end
  local route = routes[nodes] or routeTo(nodes)
  if route.readers > 0 then share(header, body) end
  return route.readers + handAll(route.others, header, body)
end
