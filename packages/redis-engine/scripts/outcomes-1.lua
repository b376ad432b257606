-- Decides about messages whose time is over, and reads the oldest that are decided. One node at a time does this.
--
-- KEYS[1] base: prefix with hash tag; the keys of the ledger are built from it (same slot)
-- ARGV[1] node that asks
-- ARGV[2] ms in which no other node may, unless this one asks again
-- ARGV[3] receipt of the page before, whose messages need not be kept any more; '' for none
-- ARGV[4] messages at most, of those that are due and of those in the reply
-- ARGV[5] random text, for a ledger that begins
-- Returns {receipt, messages pending, messages lost since the last call, message, …}, or {} when another node does it.
local base = KEYS[1]
local limit = tonumber(ARGV[4])
-- @include clock
-- @include ledger
local reader = redis.call('GET', base .. OUTCOMES_READER)
if reader and reader ~= ARGV[1] then return {} end
redis.call('SET', base .. OUTCOMES_READER, ARGV[1], 'PX', ARGV[2])

-- The messages are numbered, with a text that is new when Redis forgot: what was read before is not taken for what is here.
local life, first = string.match(redis.call('GET', base .. OUTCOMES_FIRST) or '', '^(%S+) (%d+)$')
life, first = life or ARGV[5], tonumber(first or 0)
local receiptLife, receiptFirst, receiptEnd = string.match(ARGV[3], '^(%S+) (%d+) (%d+)$')
if receiptLife == life and tonumber(receiptFirst) == first then
  redis.call('LTRIM', base .. OUTCOMES, tonumber(receiptEnd) - first, -1)
  first = tonumber(receiptEnd)
end
redis.call('SET', base .. OUTCOMES_FIRST, life .. ' ' .. string.format('%.0f', first))

-- Redis sorts those that are due in the same ms by their text: the 100th record before the 99th. A user's are told in order.
local function dueKeys()
  local rows = redis.call('ZRANGE', base .. LEDGER_DUE, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
  if #rows == 0 then return {} end
  local keys, placeOf, last = {}, {}, rows[#rows]
  local function add(key, due)
    local source, offset = string.match(key, '^(%d+) (%d+) ')
    keys[#keys + 1], placeOf[key] = key, { tonumber(due), tonumber(source), tonumber(offset) }
  end
  for at = 1, #rows, 2 do
    if rows[at + 1] ~= last then add(rows[at], rows[at + 1]) end
  end
  -- All of the last ms: the limit may have parted them.
  for _, key in ipairs(redis.call('ZRANGE', base .. LEDGER_DUE, last, last, 'BYSCORE')) do add(key, last) end
  table.sort(keys, function(a, b)
    local one, other = placeOf[a], placeOf[b]
    for i = 1, 3 do
      if one[i] ~= other[i] then return one[i] < other[i] end
    end
    return a < b
  end)
  return keys
end

for _, key in ipairs(dueKeys()) do
  local entry = entryOf(key)
  if entry then decide(key, entry, true) else redis.call('ZREM', base .. LEDGER_DUE, key) end
end

local messages = redis.call('LRANGE', base .. OUTCOMES, 0, limit - 1)
local lost = tonumber(redis.call('GET', base .. OUTCOMES_LOST) or 0)
if lost > 0 then redis.call('DEL', base .. OUTCOMES_LOST) end
local receipt = string.format('%s %.0f %.0f', life, first, first + #messages)
return { receipt, redis.call('HLEN', base .. LEDGER), lost, unpack(messages) }
