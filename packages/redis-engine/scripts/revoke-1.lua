-- Revokes a user's tokens that were issued before a time. What was revoked before stays so.
--
-- KEYS[1] revocation of the user
-- ARGV[1] issued before, ms
-- ARGV[2] until when it holds, ms
-- Returns 1.
local before = math.max(tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or 0))
local ends = math.max(tonumber(ARGV[2]), redis.call('PEXPIRETIME', KEYS[1]))
redis.call('SET', KEYS[1], string.format('%.0f', before), 'PXAT', string.format('%.0f', ends))
return 1
