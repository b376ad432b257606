-- The log that the nodes of a partition share: what many of them get is written there once, and announced once on one
-- channel. A node reads it beside its inbox. Each batch in an inbox bears the number of the log's newest batch, so that a
-- node knows the order of both (src/merged-batches.ts). Needs what include/outbox.lua needs, and its `announce`.
local shared = { n = 0, bytes = 0 }
-- The log is cut off in pieces of this share of its bound.
local SHARED_PIECES = 8

local function share(header, body)
  local n = shared.n
  shared[n + 1], shared[n + 2], shared.n = header, body, n + 2
  shared.bytes = shared.bytes + #header + #body
end

-- Keeps the log within its bound, however slow its readers are: a piece of it is full, the oldest one goes.
local function beginPiece(number)
  local pieces = base .. SHARED_PIECE_STARTS
  if redis.call('RPUSH', pieces, number) > SHARED_PIECES then
    redis.call('LTRIM', pieces, -SHARED_PIECES, -1)
    redis.call('XTRIM', base .. SHARED_LOG, 'MINID', redis.call('LINDEX', pieces, 0) .. '-0')
  end
  redis.call('SET', base .. SHARED_ROOM, math.max(0, math.floor(inboxBytesMax / SHARED_PIECES) - shared.bytes))
end

-- `last` is the id of the batch before, false for none. Returns the number of batches.
local function sendShared(last)
  if shared.n == 0 then return 0 end
  local log = base .. SHARED_LOG
  local number = string.format('%.0f', (last and tonumber(string.match(last, '^%d+')) or 0) + 1)
  local id = number .. '-' .. server
  redis.call('SET', base .. SHARED_LAST, id)
  if redis.call('DECRBY', base .. SHARED_ROOM, shared.bytes) < 0 then beginPiece(number) end
  redis.call('XADD', log, id, unpack(shared, 1, shared.n))
  -- Whatever its size: each node would read it otherwise.
  announce(log, id, shared, true)
  return 1
end
