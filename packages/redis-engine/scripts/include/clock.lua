local time = redis.call('TIME')
-- Redis' time is the only one that all nodes share. ms since the epoch.
local now = time[1] * 1000 + math.floor(time[2] / 1000)
