local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
-- Redis' time is the only one that all nodes share. ms since the epoch.
local now = clock()
