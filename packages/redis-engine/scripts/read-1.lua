-- History of one stream after a position. The list is contiguous up to the top, so an offset is an index.
--
-- KEYS[1] base: prefix with hash tag; the keys of the stream are built from it (same slot)
-- ARGV[1] epoch if the stream doesn't exist (include/tops.lua)
-- ARGV[2] ttl of its meta in ms
-- ARGV[3] 'o' ordered or 'l' latest
-- ARGV[4] size
-- ARGV[5] ttl in ms
-- ARGV[6] epoch of the position, '' for none (all that is kept)
-- ARGV[7] offset of the position
-- ARGV[8] messages at most
-- ARGV[9] bytes of frames at most; one message is returned whatever its size
-- ARGV[10] stream
-- Returns {epoch, top, recovered 1 or 0, offset before the first message, its times, its body, …}.
local base, name = KEYS[1], ARGV[10]
local latest, size, ttl = ARGV[3] == 'l', tonumber(ARGV[4]), tonumber(ARGV[5])
local after, limit, bytesMax = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
-- @include clock
-- @include tops
-- @include kept

local list = base .. LIST .. name
local stream = topOf(name, ARGV[1], ARGV[2])
local top = tonumber(stream.offset)

local known = ARGV[6] == '' or has(stream, ARGV[6], after)
if ARGV[6] == '' or not known then after = 0 end

-- 0: the stream is new; a list that may be there is of an epoch that was forgotten.
local length = stream.renewAt == '0' and 0 or redis.call('LLEN', list) / 2
-- The page begins behind this offset. Entries expire from the front, in order.
local begin = math.max(top - math.min(length, size), after)
if begin < top then begin = math.max(begin, top - length + expiredOf(list, length, now - ttl)) end

-- In mode `latest` nothing but the newest value was promised.
local complete = begin == after
if latest then complete = begin < top or after >= top end
local reply = { stream.epoch, top, known and complete and 1 or 0, begin }
if begin < top and limit > 0 then
  local from = 2 * (length - (top - begin))
  local last = math.min(from + 2 * limit, 2 * length) - 1
  -- What a body becomes longer by as a frame: its epoch, its offset of at most 16 digits, and what is around them.
  local position = #stream.epoch + 28
  local bytes, count = 0, #reply
  while from <= last do
    -- In steps: what would be too much for the reply is not even looked at.
    local entries = redis.call('LRANGE', list, from, math.min(from + 2 * STEP - 1, last))
    for i = 1, #entries, 2 do
      bytes = bytes + #entries[i + 1] + position
      if bytes > bytesMax and count > 4 then return reply end
      reply[count + 1], reply[count + 2] = entries[i], entries[i + 1]
      count = count + 2
    end
    from = from + 2 * STEP
  end
end
return reply
