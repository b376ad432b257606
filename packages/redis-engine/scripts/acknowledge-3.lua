-- Remembers how far a stream was acknowledged, unless it was further already.
--
-- KEYS[1] meta of the stream
-- KEYS[2] its acknowledgement
-- KEYS[3] base: prefix with hash tag; the keys of the ledger are built from it (same slot)
-- ARGV[1] epoch if the stream doesn't exist
-- ARGV[2] ttl of its meta in ms
-- ARGV[3] offset
-- ARGV[4] stream
-- Returns 1, or 0 when the offset lies above the top.
local base = KEYS[3]
-- @include clock
-- @include ledger
-- @include tops
-- @include acknowledgements
local top, offset = topOf(KEYS[1], ARGV[1], ARGV[2]), tonumber(ARGV[3])
if offset > tonumber(top.offset) then return 0 end
offset = math.max(offset, acknowledgedIn(top, KEYS[2]))
-- 0 is where every stream begins: nothing to remember.
if offset > 0 then redis.call('SET', KEYS[2], top.epoch .. ' ' .. string.format('%.0f', offset), 'PX', ARGV[2]) end
for _, key in ipairs(redis.call('ZRANGE', base .. LEDGER_STREAM .. ARGV[4], '-inf', offset, 'BYSCORE')) do
  local entry = entryOf(key)
  if entry then finish(key, entry, 'acked') end
end
return 1
