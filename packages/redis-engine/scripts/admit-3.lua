-- Block check, session limit, presence row and current positions of connections that want to come in, one after the other,
-- each in one step.
--
-- KEYS[1] base: prefix with hash tag; keys of users, of streams and of replaced sessions' nodes are built from it (same slot)
-- KEYS[2] connections of this node with their users
-- KEYS[3] inbox sequence of this node, which exists while it is registered
-- ARGV[1] node (with its life)
-- ARGV[2] close code for a replaced session
-- ARGV[3] its reason
-- ARGV[4] epoch for streams that don't exist
-- ARGV[5] name of this Redis process
-- ARGV[6] bytes that may wait in an inbox
-- then two for each connection: its token's id, '' for none, and texts that each end with a tab:
--   connection
--   user
--   since, ms
--   endpoint
--   sessions at most, 0 for no limit
--   'reject' or 'replace'
--   'reject', 'replace' or 'newest' (of those that are open already) when the endpoint is for one connection of a user,
--     else ''
--   when the token was issued, ms; 0 when it does not say; '' without a token
--   then two for each stream: name, ttl of its meta in ms
-- Returns for each connection a text: 'admitted' or, where the row was there, 'renewed', with ' <epoch> <offset>' of each
-- stream behind it; 'blocked <block JSON>', 'revoked', 'session_limit' or 'already_connected'. A refusal changes nothing.
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

local function replace(user, session)
  redis.call('HDEL', base .. PRESENCE .. user, session.connection)
  discountRow(user, session.node)
  redis.call('SREM', base .. NODE_CONNECTIONS .. session.node, session.connection .. ' ' .. user)
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
    local top = topOf(base .. META .. stream, epochForNew, ttl)
    text = top.epoch .. ' ' .. top.offset
    tops[stream] = text
  end
  return text
end

local function admit(tokenId, asked)
  local connection, user, since, endpoint, most, policy, exclusive, issuedAt = unpack(asked, 1, 8)
  local sessionsMax, presence = tonumber(most), base .. PRESENCE .. user

  local block, revokedBefore, revoked =
    unpack(redis.call('MGET', base .. BLOCK .. user, base .. REVOKED_BEFORE .. user, base .. REVOKED_TOKEN .. tokenId))
  if block and holds(block) then return 'blocked ' .. block end
  local isOld = revokedBefore and issuedAt ~= '' and tonumber(issuedAt) < tonumber(revokedBefore)
  if isOld and lasts('r ' .. user) or revoked and tokenId ~= '' and lasts('t ' .. tokenId) then return 'revoked' end

  -- One more row is refused without a look at those that are there, which may be very many.
  if exclusive == '' and sessionsMax > 0 and policy == 'reject' then
    local isFull = redis.call('HLEN', presence) >= sessionsMax
    if isFull and not redis.call('HGET', presence, connection) then return 'session_limit' end
  end

  local isOver = sessionsMax > 0 and policy == 'replace' and redis.call('HLEN', presence) >= sessionsMax
  if exclusive ~= '' or isOver then
    local kept, replaced, others = {}, {}, otherSessions(presence, connection)
    for _, session in ipairs(others) do
      local isRival = exclusive ~= '' and session.endpoint == endpoint
      if isRival and (exclusive == 'reject' or exclusive == 'newest' and isNewer(session, connection, since)) then
        return 'already_connected'
      end
      local list = isRival and replaced or kept
      list[#list + 1] = session
    end
    local isNew = #others == redis.call('HLEN', presence)
    -- More than one when the limit was lowered.
    local surplus = sessionsMax > 0 and isNew and #kept - sessionsMax + 1 or 0
    if surplus > 0 and policy == 'reject' then return 'session_limit' end
    for i = 1, surplus do replaced[#replaced + 1] = kept[i] end
    for _, session in ipairs(replaced) do replace(user, session) end
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
  for i = 9, #asked, 2 do reply[#reply + 1] = topText(asked[i], asked[i + 1]) end
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
