-- Block check, session limit, presence row and current positions in one step.
--
-- KEYS[1] base: prefix with hash tag; keys of streams and of replaced sessions' nodes are built from it (same slot)
-- KEYS[2] block of the user
-- KEYS[3] presence of the user
-- KEYS[4] connections of this node with their users
-- KEYS[5] inbox sequence of this node, which exists while it is registered
-- ARGV[1] connection
-- ARGV[2] user
-- ARGV[3] node (with its life)
-- ARGV[4] since, ms
-- ARGV[5] endpoint
-- ARGV[6] sessions at most, 0 for no limit
-- ARGV[7] 'reject' or 'replace'
-- ARGV[8] 'reject', 'replace' or 'newest' (of those that are open already) when the endpoint is for one connection of a
--   user, else ''
-- ARGV[9] close code for a replaced session
-- ARGV[10] its reason
-- ARGV[11] epoch for streams that don't exist
-- ARGV[12] name of this Redis process
-- ARGV[13] bytes that may wait in an inbox
-- ARGV[14] id of the token, '' for none
-- ARGV[15] when it was issued, ms; 0 when it does not say; '' without a token
-- then two for each stream: name, ttl of its meta in ms
-- Returns {'admitted' or, where the row was there, 'renewed', epoch, offset, …}, {'blocked', block JSON}, {'revoked'}, {'session_limit'} or {'already_connected'}. A refusal changes nothing.
-- Errors: UNKNOWN_NODE.
local base, blockKey, presence, itsConnections, sequence = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local connection, user, node, since, endpoint = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local sessionsMax, policy, exclusive = tonumber(ARGV[6]), ARGV[7], ARGV[8]
local closeCode, closeReason, epochForNew = tonumber(ARGV[9]), ARGV[10], ARGV[11]
local server, inboxBytesMax = ARGV[12], tonumber(ARGV[13])
local tokenId, issuedAt = ARGV[14], ARGV[15]

-- @include clock
-- @include blocks
-- @include outbox
-- @include user-nodes
-- @include tops

-- A row of a node that nobody reaps would stay for ever.
if redis.call('EXISTS', sequence) == 0 then return redis.error_reply('UNKNOWN_NODE ' .. node) end

local block, revokedBefore, revoked =
  unpack(redis.call('MGET', blockKey, base .. REVOKED_BEFORE .. user, base .. REVOKED_TOKEN .. tokenId))
if block and holds(block) then return { 'blocked', block } end
-- A revocation whose end is not listed is one of an earlier release, which ends with its key.
local function lasts(member)
  local untilMs = redis.call('ZSCORE', base .. EXPIRIES, member)
  return not untilMs or tonumber(untilMs) > now
end
local isOld = revokedBefore and issuedAt ~= '' and tonumber(issuedAt) < tonumber(revokedBefore)
if isOld and lasts('r ' .. user) or revoked and tokenId ~= '' and lasts('t ' .. tokenId) then return { 'revoked' } end

-- One more row is refused without a look at those that are there, which may be very many.
if exclusive == '' and sessionsMax > 0 and policy == 'reject' then
  local isFull = redis.call('HLEN', presence) >= sessionsMax
  if isFull and not redis.call('HGET', presence, connection) then return { 'session_limit' } end
end

-- The user's other connections, the oldest first.
local function otherSessions()
  local rows, sessions = redis.call('HGETALL', presence), {}
  for i = 1, #rows, 2 do
    if rows[i] ~= connection then
      local itsNode, itsSince, itsEndpoint = string.match(rows[i + 1], '^(%S+) (%d+) (.*)$')
      sessions[#sessions + 1] = { connection = rows[i], node = itsNode, since = tonumber(itsSince), endpoint = itsEndpoint }
    end
  end
  table.sort(sessions, function(a, b) return a.since < b.since end)
  return sessions
end

local function replace(session)
  redis.call('HDEL', presence, session.connection)
  discountRow(user, session.node)
  redis.call('SREM', base .. NODE_CONNECTIONS .. session.node, session.connection .. ' ' .. user)
  local close = { code = closeCode, reason = closeReason }
  local json = cjson.encode({ command = 'close', user = user, connection = session.connection, close = close })
  hand(session.node, 'c\t\t0\t', json)
end

-- The newest, because a row that nobody has taken away yet is older.
local function isNewer(session)
  local own = tonumber(since)
  return session.since > own or (session.since == own and session.connection > connection)
end

local isOver = sessionsMax > 0 and policy == 'replace' and redis.call('HLEN', presence) >= sessionsMax
if exclusive ~= '' or isOver then
  local kept, replaced, others = {}, {}, otherSessions()
  for _, session in ipairs(others) do
    local isRival = exclusive ~= '' and session.endpoint == endpoint
    if isRival and (exclusive == 'reject' or exclusive == 'newest' and isNewer(session)) then
      return { 'already_connected' }
    end
    local list = isRival and replaced or kept
    list[#list + 1] = session
  end
  local isNew = #others == redis.call('HLEN', presence)
  -- More than one when the limit was lowered.
  local surplus = sessionsMax > 0 and isNew and #kept - sessionsMax + 1 or 0
  if surplus > 0 and policy == 'reject' then return { 'session_limit' } end
  for i = 1, surplus do replaced[#replaced + 1] = kept[i] end
  for _, session in ipairs(replaced) do replace(session) end
end

local row = node .. ' ' .. since .. ' ' .. endpoint
local isNew = redis.call('HSETNX', presence, connection, row) == 1
if isNew then
  countRow(user, node)
else
  -- Registered again: the row may be one of the node's former life.
  local nodeBefore = string.match(redis.call('HGET', presence, connection), '^%S+')
  redis.call('HSET', presence, connection, row)
  if nodeBefore ~= node then
    discountRow(user, nodeBefore)
    countRow(user, node)
  end
end
redis.call('SADD', itsConnections, connection .. ' ' .. user)
sendOutbox()

local reply = { isNew and 'admitted' or 'renewed' }
for i = 16, #ARGV, 2 do
  local top = topOf(base .. META .. ARGV[i], epochForNew, ARGV[i + 1])
  reply[#reply + 1] = top.epoch
  reply[#reply + 1] = top.offset
end
return reply
