-- Current tops of streams, for those who only look. Needs the locals `base` (key prefix with hash tag) and `now`.
--
-- Nothing is kept of a stream that was never written. Its epoch follows from the data set and the time:
-- `<process>u<data set><half day, hex>`, and behind it `x<ms, hex>` for a stream that was erased. Its first message begins that
-- epoch. What was written is remembered for three half days (META_TTL_MIN of src/history.ts). So who was told offset 0 within the last two has
-- missed nothing of a stream that nothing is known of, and of one that was written since all is behind that offset. Nodes have
-- kept what their clients were told, at the end of each half day, so that the epoch does not change on an open connection.
local HALF_DAY_MS = 43200000
local TOLD_HALF_DAYS = 2

local told, anyErased
-- Epoch of a stream that was never written. `epochForNew` is one of this process; with a `~` before it none has to be kept,
-- with a `=` the one that is told now.
-- Returns the epoch, and whether it has to be kept: Redis may evict what is known of streams, or is empty, or it is wanted.
local function unwrittenEpoch(stream, epochForNew)
  local kept = string.gsub(epochForNew, '^[~=]', '')
  if kept == epochForNew then return kept, true end
  if told == nil then
    local dataset = redis.call('GET', base .. DATASET)
    local process = string.sub(kept, 1, 6)
    told = dataset and process .. 'u' .. string.sub(redis.sha1hex(dataset), 1, 6) .. string.format('%x', math.floor(now / HALF_DAY_MS))
    anyErased = told and redis.call('EXISTS', base .. ERASED) == 1
  end
  if not told then return kept, true end
  local erasedAt = anyErased and redis.call('ZSCORE', base .. ERASED, redis.sha1hex(stream))
  return told .. (erasedAt and string.format('x%x', tonumber(erasedAt)) or ''), string.sub(epochForNew, 1, 1) == '='
end

-- `metaTtl` ms from now on the position told is good, if the stream was written.
-- Returns a table of texts: epoch, offset, when lives are prolonged (0: there is no list), the epoch before and its end.
local function topOf(stream, epochForNew, metaTtl)
  local key = base .. META .. stream
  -- Whatever is there: a server that has become a replica refuses this, and what it knows may be old.
  redis.call('PEXPIRE', key, metaTtl)
  local meta = redis.call('GET', key)
  if not meta then
    local epoch, isKept = unwrittenEpoch(stream, epochForNew)
    if isKept then redis.call('SET', key, epoch .. ' 0 0', 'PX', metaTtl) end
    return { epoch = epoch, offset = '0', renewAt = '0', before = '' }
  end
  local top = {}
  top.epoch, top.offset, top.renewAt, top.before = string.match(meta, '^(%S+) (%d+) (%d+)(.*)$')
  return top
end

-- Whether this epoch was told of the stream before anything was written under the other one.
local function toldBefore(epoch, begun)
  local pattern = '^%d%d%d%d%d%du(%x%x%x%x%x%x)(%x+)(x?%x*)$'
  local dataset, halfDay, erased = string.match(epoch, pattern)
  local itsDataset, itsHalfDay, itsErased = string.match(begun or '', pattern)
  if not dataset or dataset ~= itsDataset or erased ~= itsErased then return false end
  local ago = tonumber(itsHalfDay, 16) - tonumber(halfDay, 16)
  -- Clocks of two processes may differ a little.
  return ago >= -1 and ago <= TOLD_HALF_DAYS
end

-- Whether the stream as it is now has this position: the epoch before counts up to where it ended.
local function has(top, epoch, offset)
  if epoch == top.epoch then return offset <= tonumber(top.offset) end
  local epochBefore, endBefore = string.match(top.before, '^/?%d* (%S+) (%d+)$')
  if epoch == epochBefore then return offset <= tonumber(endBefore) end
  return offset == 0 and (toldBefore(epoch, top.epoch) or toldBefore(epoch, epochBefore))
end
