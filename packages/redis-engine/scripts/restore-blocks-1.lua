-- Sets and lifts blocks as the last records about their users say, where this data set has not seen these records, and
-- closes the blocked users' connections. A record at or before the source's position was applied here, and what was done
-- since, by the admin API too, is newer.
--
-- KEYS[1] base: prefix with hash tag; the keys of users and sources are built from it (same slot)
-- ARGV[1] name of this Redis process
-- ARGV[2] bytes that may wait in an inbox
-- then seven for each user: user, topic, partition and offset of the record, block JSON ('' to lift it), its expiry ms ('' for
--   none), command JSON
-- Returns how many records had not been applied.
local base = KEYS[1]
local server, inboxBytesMax = ARGV[1], tonumber(ARGV[2])

-- @include clock
-- @include outbox
-- @include blocks

local applied = {}
local function appliedUpTo(source)
  if not applied[source] then
    -- Behind the offset may stand how many items of the next record were applied; setting its block again does no harm.
    applied[source] = tonumber(string.match(redis.call('GET', base .. SOURCE .. source) or '-1', '^-?%d+'))
  end
  return applied[source]
end

local restored = 0
for at = 3, #ARGV, 7 do
  local user, source, offset = ARGV[at], ARGV[at + 1] .. ':' .. ARGV[at + 2], tonumber(ARGV[at + 3])
  local json, expiresAt, command = ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  if offset > appliedUpTo(source) then
    restored = restored + 1
    setBlock(user, json, expiresAt)
    if json ~= '' then
      for node in string.gmatch(redis.call('GET', base .. USER_NODES .. user) or '', '%S+') do
        hand(node, 'c\t\t0\t', command)
      end
    end
  end
end
sendOutbox()
return restored
