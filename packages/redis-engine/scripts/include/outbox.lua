-- Collects what each node gets, adds it to its inbox as one numbered batch, and announces that. What many nodes get goes
-- into the log that the nodes of a partition share (include/shared-log.lua).
-- Needs the locals `base` (key prefix with hash tag), `server` (name of this Redis process) and `inboxBytesMax` of the
-- including script.
-- A message is a header and a body that are never joined here: this Lua hashes every byte of every string it makes, so a
-- long string costs more than the command that stores it.
local outbox, outboxTokens = {}, {}
-- Batches kept for a node of an earlier release, which does not say what it has read.
local BATCHES_MAX = 4096

-- Returns 1 when the node is registered, else 0: rows of a node that is being reaped lead nowhere.
local function hand(token, header, body)
  local batch = outbox[token]
  if batch then
    local n = batch.n
    batch[n + 1], batch[n + 2], batch.n = header, body, n + 2
    batch.bytes = batch.bytes + #header + #body
    return 1
  end
  if batch == false then return 0 end
  local room = base .. INBOX_ROOM .. token
  local there = redis.call('EXISTS', base .. SEQUENCE .. token, room)
  -- One of the two is nearly always both or none: an inbox of an earlier release has no room.
  local isBounded = there == 2
  local isRegistered = isBounded or (there == 1 and redis.call('EXISTS', room) == 0)
  -- All at once: a table that grows is made anew.
  outbox[token] = isRegistered and { header, body, n = 2, bytes = #header + #body, isBounded = isBounded }
  if not isRegistered then return 0 end
  outboxTokens[#outboxTokens + 1] = token
  return 1
end

-- Tells those who listen to the channel, with the whole batch when that is worth it: then they need not read it.
local function announce(channel, id, batch, isWhole)
  local announcement = id
  -- Asked first, because making the text costs more: in bulk nobody listens (src/inbox-reader.ts says when). In a cluster
  -- asked in any case, because SPUBLISH ends some servers, to which nobody listens (src/channel-commands.ts).
  if isWhole or SHARDED then
    local listeners = redis.pcall('PUBSUB', NUMSUB, channel)[2]
    if not listeners or listeners == 0 then return end
  end
  if isWhole then
    local first, lengths = batch.first or 1, { id }
    for i = first, batch.n do lengths[#lengths + 1] = #batch[i] end
    batch[first - 1] = table.concat(lengths, ' ') .. '\n'
    announcement = table.concat(batch, '', first - 1, batch.n)
  end
  -- Nobody listens at a replica.
  redis.set_repl(redis.REPL_NONE)
  -- The user may have no right to channels: then no node listens either.
  redis.pcall(PUBLISH, channel, announcement)
  redis.set_repl(redis.REPL_ALL)
end

-- @include lives

-- `sendShared`: what sends what goes into the shared log, if anything does. Returns the number of batches.
local function sendOutbox(sendShared)
  local lastShared = (#outboxTokens > 0 or sendShared) and redis.call('GET', base .. SHARED_LAST)
  for i = 1, #outboxTokens do
    local token = outboxTokens[i]
    local batch = outbox[token]
    local inbox, bytes = base .. INBOX .. token, batch.bytes
    local isWhole = batch.n <= 2 * ANNOUNCED_MESSAGES_MAX and bytes <= ANNOUNCED_BYTES_MAX
    if lastShared and readsSharedLog(token) then
      batch[-1], batch[0], batch.first = BEHIND_SHARED, string.match(lastShared, '^%d+'), -1
    end
    local sequence = redis.call('INCR', base .. SEQUENCE .. token)
    -- With the process' name, because one that came back with older data gives numbers a second time.
    local id = sequence .. '-' .. server
    if not batch.isBounded then
      redis.call('XADD', inbox, 'MAXLEN', '~', BATCHES_MAX, id, unpack(batch, 1, batch.n))
    else
      -- What is unread is bounded: a node that is gone must not fill the memory before it is reaped.
      if redis.call('DECRBY', base .. INBOX_ROOM .. token, bytes) < 0 then
        -- The node sees by the numbers that it has missed some, and reads on in the history: the rest is of no use.
        redis.call('UNLINK', inbox)
        redis.call('SET', base .. INBOX_ROOM .. token, math.max(0, inboxBytesMax - bytes))
      end
      redis.call('XADD', inbox, id, unpack(batch, batch.first or 1, batch.n))
    end
    announce(inbox, id, batch, isWhole)
  end
  return #outboxTokens + (sendShared and sendShared(lastShared) or 0)
end
