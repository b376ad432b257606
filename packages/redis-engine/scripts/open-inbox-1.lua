-- Opens the inbox of a node in one partition. What is left of one that was open before goes.
--
-- KEYS[1] base: prefix with hash tag; keys of nodes are built from it (same slot)
-- ARGV[1] node (with its life)
-- ARGV[2] identity of the data set if there is none
-- ARGV[3] bytes that may wait in the inbox
-- ARGV[4] '1' for a node that reads the shared log
-- Returns {identity of the data set, id of the newest batch in the shared log or ''}: the node reads on behind that.
local base, node = KEYS[1], ARGV[1]
local identity, inboxBytesMax, readsShared = ARGV[2], ARGV[3], ARGV[4] == '1'
redis.call('SET', base .. DATASET, identity, 'NX')
redis.call('UNLINK', base .. INBOX .. node)
redis.call('SET', base .. INBOX_ROOM .. node, inboxBytesMax)
redis.call('SET', base .. SEQUENCE .. node, 0)
local last = redis.call('GET', base .. SHARED_LAST) or ''
if readsShared then redis.call('ZADD', base .. SHARED_READERS, string.match(last, '^%d+') or 0, node) end
return { redis.call('GET', base .. DATASET), last }
