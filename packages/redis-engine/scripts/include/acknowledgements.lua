-- How far the stream with this top was acknowledged, by the key of the acknowledgement; 0 for not at all.
local function acknowledgedIn(top, key)
  local acknowledged = redis.call('GET', key)
  if not acknowledged then return 0 end
  local epoch, offset = string.match(acknowledged, '^(%S+) (%d+)$')
  offset = tonumber(offset)
  return has(top, epoch, offset) and offset or 0
end
