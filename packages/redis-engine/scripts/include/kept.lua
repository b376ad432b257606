-- What is kept of a stream: a list of times and body of each message in turn, the oldest first.
-- Messages looked at in one step.
local STEP = 32

-- How many of the messages were accepted before this time. They are in its order.
local function expiredOf(key, messages, acceptedBefore)
  local function isOver(place)
    return tonumber(string.match(redis.call('LINDEX', key, 2 * place), '%d+$')) < acceptedBefore
  end
  if messages == 0 or not isOver(0) then return 0 end
  local low, high = 0, messages
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if isOver(middle) then low = middle else high = middle end
  end
  return high
end

-- How many of the newest messages fit, one at least, and their bytes.
local function newestOf(key, messages, max)
  local count, bytes = 0, 0
  while count < messages do
    local last = messages - count
    local entries = redis.call('LRANGE', key, 2 * math.max(0, last - STEP), 2 * last - 1)
    for i = #entries, 2, -2 do
      if count > 0 and bytes + #entries[i] > max then return count, bytes end
      count, bytes = count + 1, bytes + #entries[i]
    end
  end
  return count, bytes
end

-- How many of the oldest messages have to go, `kept.surplus` at least, so that the others have no more than `kept.max`
-- bytes, and the bytes of these. `added` is what was added last, `counted` the bytes before that, '' where nobody counted.
local function fitting(key, kept, added, counted)
  local messages = kept.messages
  if counted == '' and 2 * messages > added.n then
    local count, bytes = newestOf(key, messages - kept.surplus, kept.max)
    return messages - count, bytes
  end
  local bytes = tonumber(counted) or 0
  if 2 * messages == added.n then bytes = 0 end
  for i = 2, added.n, 2 do bytes = bytes + #added[i] end
  local gone = 0
  while gone < messages - 1 and (gone < kept.surplus or bytes > kept.max) do
    local entries = redis.call('LRANGE', key, 2 * gone, 2 * math.min(messages - 1, gone + STEP) - 1)
    for i = 2, #entries, 2 do
      if gone >= kept.surplus and bytes <= kept.max then break end
      gone, bytes = gone + 1, bytes - #entries[i]
    end
  end
  return gone, bytes
end
