-- The node has no subscriber of the streams any more.
--
-- KEYS[1] base: prefix with hash tag; keys of streams are built from it (same slot)
-- KEYS[2] interests of this node
-- ARGV[1] node (with its life)
-- then the streams
-- Returns 1.
for i = 2, #ARGV do redis.call('HDEL', KEYS[1] .. INTEREST .. ARGV[i], ARGV[1]) end
redis.call('SREM', KEYS[2], unpack(ARGV, 2))
return 1
