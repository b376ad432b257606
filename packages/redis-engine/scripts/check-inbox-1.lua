-- Trims an inbox to the last batch that was processed and those behind it, and the shared log to what some node has not
-- processed, and says how far both have come.
--
-- KEYS[1] base: prefix with hash tag; keys of nodes are built from it (same slot)
-- ARGV[1] node (with its life)
-- ARGV[2] number of that batch
-- ARGV[3] bytes read since the check before
-- ARGV[4] bytes that may wait in the inbox
-- ARGV[5] number of the last batch of the shared log that was processed, '' for a node that does not read it
-- Returns {sequence or '', identity of the data set or '', id of the shared log's newest batch or ''}.
local base, node = KEYS[1], ARGV[1]
local processed, bytesRead, inboxBytesMax, sharedProcessed = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local sequence = redis.call('GET', base .. SEQUENCE .. node)
redis.call('XTRIM', base .. INBOX .. node, 'MINID', processed .. '-0')
if sequence == processed then
  -- Nothing is unread, whatever was counted.
  redis.call('SET', base .. INBOX_ROOM .. node, inboxBytesMax)
elseif sequence then
  -- Not -bytesRead: that of 0 is -0, which Redis 7.0 takes for no integer.
  redis.call('DECRBY', base .. INBOX_ROOM .. node, 0 - bytesRead)
end
local readers = base .. SHARED_READERS
local last = redis.call('GET', base .. SHARED_LAST)
if sequence and last and sharedProcessed ~= '' then
  redis.call('ZADD', readers, sharedProcessed, node)
  local slowest = redis.call('ZRANGE', readers, 0, 0, 'WITHSCORES')
  if redis.call('EXISTS', base .. SEQUENCE .. slowest[1]) == 0 then
    -- A node of an earlier release has reaped it.
    redis.call('ZREM', readers, slowest[1])
  else
    redis.call('XTRIM', base .. SHARED_LOG, 'MINID', slowest[2] .. '-0')
  end
end
return { sequence or '', redis.call('GET', base .. DATASET) or '', last or '' }
