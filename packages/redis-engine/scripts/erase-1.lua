-- Forgets what is kept of a user but for the block, and tells the nodes that have connections of the user to close them.
--
-- KEYS[1] base: prefix with hash tag; the keys of the user and of the streams are built from it (same slot)
-- ARGV[1] user
-- ARGV[2] name of this Redis process
-- ARGV[3] bytes that may wait in an inbox
-- ARGV[4] command JSON
-- then two for each stream: name, how many of its messages are kept
-- Returns {streams that had been written to, messages that were kept}.
local base, user = KEYS[1], ARGV[1]
local server, inboxBytesMax, command = ARGV[2], tonumber(ARGV[3]), ARGV[4]

-- @include clock
-- @include outbox

for node in string.gmatch(redis.call('GET', base .. USER_NODES .. user) or '', '%S+') do
  hand(node, 'c\t\t0\t', command)
end
sendOutbox()

-- Positions of before it are told to be none for as long as others' are good.
local ERASED_MS = 129600000
local streams, messages = 0, 0
for at = 5, #ARGV, 2 do
  local stream, size = ARGV[at], tonumber(ARGV[at + 1])
  local top = string.match(redis.call('GET', base .. META .. stream) or '', '^%S+ (%d+)')
  if top and tonumber(top) > 0 then
    streams = streams + 1
    -- The stream begins again: under another epoch, or its offsets would mean two messages.
    redis.call('ZADD', base .. ERASED, now, redis.sha1hex(stream))
  end
  messages = messages + math.min(size, redis.call('LLEN', base .. LIST .. stream) / 2)
  redis.call('UNLINK', base .. META .. stream, base .. LIST .. stream, base .. ACKNOWLEDGED .. stream)
  -- What was under way is decided by its time.
  redis.call('UNLINK', base .. LEDGER_STREAM .. stream)
end
for _, name in ipairs(redis.call('ZRANGE', base .. ERASED, '-inf', now - ERASED_MS, 'BYSCORE')) do
  redis.call('ZREM', base .. ERASED, name)
end
redis.call('PEXPIRE', base .. ERASED, ERASED_MS)
redis.call('UNLINK', base .. PRESENCE .. user, base .. USER_NODES .. user, base .. USER_NODE_ROWS .. user)
return { streams, messages }
