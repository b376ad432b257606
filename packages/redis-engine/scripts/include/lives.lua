-- What the life of a node says of it (src/node-names.ts), behind the last `~` of its name.

-- A router has no sockets that anything could be for.
local function isRouter(node) return string.find(node, '~r%.[^~]*$') ~= nil end

-- The node reads the log that nodes share (include/shared-log.lua).
local function readsSharedLog(node) return string.find(node, '~L[^~]*$') ~= nil end

-- The node, perhaps a router, is of a release that knows of that log.
local function knowsSharedLog(node) return string.find(node, '~r?%.?L[^~]*$') ~= nil end
