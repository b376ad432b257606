-- Current top of a stream for those who only look, by the key of its meta. A stream never seen gets the
-- epoch given, so that the epoch told is kept.
-- Returns a table of texts: epoch, offset, when lives are prolonged (0: there is no list), the epoch before and its end.
local function topOf(key, epochForNew, metaTtl)
  local meta = redis.call('GET', key)
  local top = { epoch = epochForNew, offset = '0', renewAt = '0', before = '' }
  if meta then
    top.epoch, top.offset, top.renewAt, top.before = string.match(meta, '^(%S+) (%d+) (%d+)(.*)$')
  end
  local text = top.epoch .. ' ' .. top.offset .. ' ' .. top.renewAt .. top.before
  redis.call('SET', key, text, 'PX', metaTtl)
  return top
end

-- Whether the stream as it is now has this position: the epoch before counts up to where it ended.
local function has(top, epoch, offset)
  if epoch == top.epoch then return offset <= tonumber(top.offset) end
  local epochBefore, endBefore = string.match(top.before, '^ (%S+) (%d+)$')
  return epoch == epochBefore and offset <= tonumber(endBefore)
end
