-- Sets blocks again that records amount to, in a Redis that has forgotten them, and closes the users' connections.
--
-- KEYS[1] base: prefix with hash tag; the keys of users and sources are built from it (same slot)
-- ARGV[1] name of this Redis process
-- ARGV[2] bytes that may wait in an inbox
-- ARGV[3] number of sources; each follows as topic, partition, offset of the first record that was not read
-- then four for each block: user, block JSON, its expiry ms ('' for none), command JSON
-- Returns 1, or 0 without having done anything when a record behind what was read has been applied here already.
local base, server = KEYS[1], ARGV[1]
local inboxBytesMax = tonumber(ARGV[2])

-- @include outbox

local at = 4
for _ = 1, tonumber(ARGV[3]) do
  local applied = redis.call('GET', base .. SOURCE .. ARGV[at] .. ':' .. ARGV[at + 1])
  if applied and tonumber(string.match(applied, '^-?%d+')) >= tonumber(ARGV[at + 2]) then return 0 end
  at = at + 3
end

while at <= #ARGV do
  local user, expiry = ARGV[at], ARGV[at + 2] == '' and {} or { 'PXAT', ARGV[at + 2] }
  -- What was set since is newer.
  if redis.call('SET', base .. BLOCK .. user, ARGV[at + 1], 'NX', unpack(expiry)) then
    for node in string.gmatch(redis.call('GET', base .. USER_NODES .. user) or '', '%S+') do
      hand(node, 'c\t\t0\t', ARGV[at + 3])
    end
  end
  at = at + 4
end
sendOutbox()
return 1
