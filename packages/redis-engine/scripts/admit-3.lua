-- Block check, session limit, presence row and current positions of connections that want to come in, one after the other,
-- each in one step.
--
-- KEYS[1] base: prefix with hash tag; keys of users, of streams and of replaced sessions' nodes are built from it (same slot)
-- KEYS[2] connections of this node with their users
-- KEYS[3] inbox sequence of this node, which exists while it is registered
-- ARGV[1] node (with its life)
-- ARGV[2] close code for a replaced session
-- ARGV[3] its reason
-- ARGV[4] epoch for streams that don't exist (include/tops.lua)
-- ARGV[5] name of this Redis process
-- ARGV[6] bytes that may wait in an inbox
-- then two for each connection: its token's id, '' for none, and texts that each end with a tab:
--   connection
--   user
--   since, ms
--   endpoint
--   sessions at most, 0 for no limit
--   'reject', 'replace' or 'newest' (of those that are open already)
--   'reject', 'replace' or 'newest' (of those that are open already) when the endpoint is for one connection of a user,
--     else ''
--   when the token was issued, ms; 0 when it does not say; '' without a token
--   nodes that give no sign of life, each between spaces, '' for none: their rows hold no place against a newcomer
--   then two for each stream: name, ttl of its meta in ms
-- Returns for each connection a text: 'admitted' or, where the row was there, 'renewed', with ' <epoch> <offset>' of each
-- stream behind it; 'blocked <block JSON>', 'revoked', and 'session_limit' or 'already_connected' with the
-- nodes of the user's rows behind it, each after a space. A refusal changes nothing.
-- Errors: UNKNOWN_NODE.
local base, itsConnections, sequence = KEYS[1], KEYS[2], KEYS[3]
local node, closeCode, closeReason, epochForNew = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local server, inboxBytesMax = ARGV[5], tonumber(ARGV[6])

-- @include clock
-- @include blocks
-- @include outbox
-- @include user-nodes
-- @include tops

-- A row of a node that nobody reaps would stay for ever.
if redis.call('EXISTS', sequence) == 0 then return redis.error_reply('UNKNOWN_NODE ' .. node) end

-- A revocation whose end is not listed is one of an earlier release, which ends with its key.
local function lasts(member)
  local untilMs = redis.call('ZSCORE', base .. EXPIRIES, member)
  return not untilMs or tonumber(untilMs) > now
end

-- The user's other connections, the oldest first.
local function otherSessions(presence, connection)
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

local function isIn(nodes, session) return string.find(nodes, ' ' .. session.node .. ' ', 1, true) ~= nil end

-- The row of a silent node stays: whoever reaps that tells of its end, or it does so itself when it wakes and finds the
-- command.
local function replace(user, session, isSilent)
  if not isSilent then
    redis.call('HDEL', base .. PRESENCE .. user, session.connection)
    discountRow(user, session.node, session.node ~= node)
    redis.call('SREM', base .. NODE_CONNECTIONS .. session.node, session.connection .. ' ' .. user)
  end
  local close = { code = closeCode, reason = closeReason }
  local json = cjson.encode({ command = 'close', user = user, connection = session.connection, close = close })
  hand(session.node, 'c\t\t0\t', json)
end

-- The newest, because a row that nobody has taken away yet is older.
local function isNewer(session, connection, since)
  local own = tonumber(since)
  return session.since > own or (session.since == own and session.connection > connection)
end

-- Several connections ask for the same shared streams, whose tops stay what they are while this runs.
local tops = {}
local function topText(stream, ttl)
  local text = tops[stream]
  if not text then
    local top = topOf(stream, epochForNew, ttl)
    text = top.epoch .. ' ' .. top.offset
    tops[stream] = text
  end
  return text
end

-- With the nodes that are to be doubted.
local function refusal(status, user) return status .. ' ' .. (redis.call('GET', base .. USER_NODES .. user) or '') end

local function admit(tokenId, asked)
  local connection, user, since, endpoint, most, policy, exclusive, issuedAt, silent = unpack(asked, 1, 9)
  local sessionsMax, presence = tonumber(most), base .. PRESENCE .. user

  local block, revokedBefore, revoked =
    unpack(redis.call('MGET', base .. BLOCK .. user, base .. REVOKED_BEFORE .. user, base .. REVOKED_TOKEN .. tokenId))
  if block and holds(block) then return 'blocked ' .. block end
  local isOld = revokedBefore and issuedAt ~= '' and tonumber(issuedAt) < tonumber(revokedBefore)
  if isOld and lasts('r ' .. user) or revoked and tokenId ~= '' and lasts('t ' .. tokenId) then return 'revoked' end

  local isFull = sessionsMax > 0 and redis.call('HLEN', presence) >= sessionsMax
  -- One more row is refused without a look at those that are there, which may be very many.
  if exclusive == '' and policy == 'reject' and silent == '' and isFull then
    if not redis.call('HGET', presence, connection) then return refusal('session_limit', user) end
  end

  if exclusive ~= '' or isFull then
    local kept, resting, replaced, newer, others = {}, {}, {}, 0, otherSessions(presence, connection)
    for _, session in ipairs(others) do
      session.isSilent = isIn(silent, session)
      local isYounger = isNewer(session, connection, since)
      if isYounger then newer = newer + 1 end
      local isRival = exclusive ~= '' and session.endpoint == endpoint
      local holdsPlace = exclusive == 'reject' or exclusive == 'newest' and isYounger
      if isRival and holdsPlace and not session.isSilent then return refusal('already_connected', user) end
      local list = isRival and replaced or session.isSilent and resting or kept
      list[#list + 1] = session
    end
    local isNew = #others == redis.call('HLEN', presence)
    if isFull and isNew and policy == 'newest' and newer >= sessionsMax then return refusal('session_limit', user) end
    local isLimited = sessionsMax > 0 and isNew and policy ~= 'newest'
    -- More than one when the limit was lowered.
    local surplus = isLimited and #resting + #kept - sessionsMax + 1 or 0
    for i = 1, math.min(surplus, #resting) do replaced[#replaced + 1] = resting[i] end
    surplus = surplus - #resting
    if surplus > 0 and policy == 'reject' then return refusal('session_limit', user) end
    for i = 1, surplus do replaced[#replaced + 1] = kept[i] end
    for _, session in ipairs(replaced) do replace(user, session, session.isSilent) end
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

  local reply = { isNew and 'admitted' or 'renewed' }
  for i = 10, #asked, 2 do reply[#reply + 1] = topText(asked[i], asked[i + 1]) end
  return table.concat(reply, ' ')
end

local replies = {}
for i = 7, #ARGV, 2 do
  local asked = {}
  for text in string.gmatch(ARGV[i + 1], '([^\t]*)\t') do asked[#asked + 1] = text end
  replies[#replies + 1] = admit(ARGV[i], asked)
end
sendOutbox()
return replies
