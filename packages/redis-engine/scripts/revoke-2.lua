-- Revokes tokens: one, or those of a user that were issued before a time. What was revoked before stays so. The key has no
-- expiry of its own, because Redis may be told to evict keys that have one.
--
-- KEYS[1] revocation of the token or user
-- KEYS[2] ends of blocks and revocations
-- ARGV[1] issued before, ms; any number for a token
-- ARGV[2] until when it holds, ms
-- ARGV[3] member of KEYS[2] that stands for it
-- Returns 1.
local revocation, expiries = KEYS[1], KEYS[2]
local issuedBefore, untilMs, member = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local before = math.max(issuedBefore, tonumber(redis.call('GET', revocation) or 0))
-- One of an earlier release ends with its key.
local knownEnd = tonumber(redis.call('ZSCORE', expiries, member) or redis.call('PEXPIRETIME', revocation))
redis.call('SET', revocation, string.format('%.0f', before))
redis.call('ZADD', expiries, string.format('%.0f', math.max(untilMs, knownEnd)), member)
return 1
