-- Remembers how far a stream was acknowledged, unless it was further already.
--
-- KEYS[1] base: prefix with hash tag; the keys of the stream and of the ledger are built from it (same slot)
-- ARGV[1] epoch if the stream doesn't exist (include/tops.lua)
-- ARGV[2] ttl of its meta in ms
-- ARGV[3] offset
-- ARGV[4] stream
-- Returns 1, or 0 when the offset lies above the top.
local base, acknowledgement = KEYS[1], KEYS[1] .. ACKNOWLEDGED .. ARGV[4]
-- @include clock
-- @include ledger
-- @include tops
-- @include acknowledgements
local top, offset = topOf(ARGV[4], ARGV[1], ARGV[2]), tonumber(ARGV[3])
if offset > tonumber(top.offset) then return 0 end
offset = math.max(offset, acknowledgedIn(top, acknowledgement))
-- 0 is where every stream begins: nothing to remember.
if offset > 0 then redis.call('SET', acknowledgement, top.epoch .. ' ' .. string.format('%.0f', offset), 'PX', ARGV[2]) end
for _, key in ipairs(redis.call('ZRANGE', base .. LEDGER_STREAM .. ARGV[4], '-inf', offset, 'BYSCORE')) do
  local entry = entryOf(key)
  if entry then finish(key, entry, 'acked') end
end
return 1
