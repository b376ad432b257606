-- Life in ms of a meta whose stream was never written and that no node watches: anybody may ask for streams that there
-- are not, but who comes back within this time finds the epoch that was told.
local UNWRITTEN_TTL = 120000

-- Current top of a stream for those who only look, by the key of its meta. A stream never seen gets the
-- epoch given, so that the epoch told is kept: for long only where somebody is subscribed.
-- Returns a table of texts: epoch, offset, when lives are prolonged (0: there is no list), the epoch before and its end.
local function topOf(key, epochForNew, metaTtl, isUnwatched)
  local meta = redis.call('GET', key)
  local top = { epoch = epochForNew, offset = '0', renewAt = '0', before = '' }
  if meta then
    top.epoch, top.offset, top.renewAt, top.before = string.match(meta, '^(%S+) (%d+) (%d+)(.*)$')
  end
  local text = top.epoch .. ' ' .. top.offset .. ' ' .. top.renewAt .. top.before
  local isUnwritten = top.offset == '0' and top.renewAt == '0'
  if not isUnwatched or not isUnwritten then
    redis.call('SET', key, text, 'PX', metaTtl)
  elseif not meta then
    redis.call('SET', key, text, 'PX', UNWRITTEN_TTL)
  end
  return top
end

-- The node watches the stream no more.
local function leaveStream(base, stream, node)
  local interest, key = base .. INTEREST .. stream, base .. META .. stream
  redis.call('HDEL', interest, node)
  if redis.call('EXISTS', interest) == 1 then return end
  local meta = redis.call('GET', key)
  if meta and string.match(meta, '^%S+ 0 0') then redis.call('PEXPIRE', key, UNWRITTEN_TTL) end
end

-- Whether the stream as it is now has this position: the epoch before counts up to where it ended.
local function has(top, epoch, offset)
  if epoch == top.epoch then return offset <= tonumber(top.offset) end
  local epochBefore, endBefore = string.match(top.before, '^/?%d* (%S+) (%d+)$')
  return epoch == epochBefore and offset <= tonumber(endBefore)
end
