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

-- @include outbox

for node in string.gmatch(redis.call('GET', base .. USER_NODES .. user) or '', '%S+') do
  hand(node, 'c\t\t0\t', command)
end
sendOutbox()

local streams, messages = 0, 0
for at = 5, #ARGV, 2 do
  local stream, size = ARGV[at], tonumber(ARGV[at + 1])
  local top = string.match(redis.call('GET', base .. META .. stream) or '', '^%S+ (%d+)')
  if top and tonumber(top) > 0 then streams = streams + 1 end
  messages = messages + math.min(size, redis.call('LLEN', base .. LIST .. stream) / 2)
  redis.call('UNLINK', base .. META .. stream, base .. LIST .. stream, base .. ACKNOWLEDGED .. stream)
  -- The stream begins again, so its offsets mean other messages. What was under way is decided by its time.
  redis.call('UNLINK', base .. LEDGER_STREAM .. stream)
end
redis.call('UNLINK', base .. PRESENCE .. user, base .. USER_NODES .. user, base .. USER_NODE_ROWS .. user)
return { streams, messages }
