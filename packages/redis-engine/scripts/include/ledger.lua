-- What becomes of messages whose outcome is wanted. Needs the locals `base` (key prefix with hash tag) and `now`.
-- An entry of the ledger is `<nodes that were handed it and have said nothing> <connections that took it> <those that have
-- it waiting> <those whose queue gave it up> <ms when it was first taken> <ms of its life> <ms to take it> <ms to
-- acknowledge it> <offset>\t<stream>\t<about>`, a decided message `<outcome> <connections> <ms>\t<about>`. The same rules
-- in memory: memory-ledger.ts of core.
local LEDGER_MAX = 200000
-- The queue of a slow client may take this long to say what became of a message, in ms.
local QUEUE_MS = 60000

local function lose() redis.call('INCR', base .. OUTCOMES_LOST) end

local function tell(outcome, connections, at, about)
  if redis.call('LLEN', base .. OUTCOMES) >= LEDGER_MAX then
    lose()
  else
    redis.call('RPUSH', base .. OUTCOMES, outcome .. ' ' .. connections .. ' ' .. string.format('%.0f', at) .. '\t' .. about)
  end
end

-- `ticket` is `<ms of its life, 0 for none> <ms to take it> <ms to acknowledge it, 0 for never>\t<about>`.
local function enter(key, ticket, message)
  local ends, wait, ack, about = string.match(ticket, '^(%d+) (%d+) (%d+)\t(.*)$')
  if redis.call('HLEN', base .. LEDGER) >= LEDGER_MAX then
    lose()
    return
  end
  local due = now + wait
  if ends ~= '0' and tonumber(ends) < due then due = tonumber(ends) end
  local counts = message.nodes .. ' 0 0 0 0 ' .. ends .. ' ' .. wait .. ' ' .. ack .. ' ' .. message.offset
  redis.call('HSET', base .. LEDGER, key, counts .. '\t' .. message.stream .. '\t' .. about)
  redis.call('ZADD', base .. LEDGER_DUE, due, key)
  if ack ~= '0' and message.offset > 0 then
    redis.call('ZADD', base .. LEDGER_STREAM .. message.stream, message.offset, key)
  end
end

local function entryOf(key)
  local text = redis.call('HGET', base .. LEDGER, key)
  if not text then return nil end
  local counts, stream, about = string.match(text, '^([^\t]*)\t([^\t]*)\t(.*)$')
  local numbers = {}
  for number in string.gmatch(counts, '%S+') do numbers[#numbers + 1] = tonumber(number) end
  local entry = { stream = stream, about = about }
  entry.missing, entry.taken, entry.waiting, entry.dropped = unpack(numbers, 1, 4)
  entry.takenAt, entry.ends, entry.wait, entry.ack, entry.offset = unpack(numbers, 5, 9)
  return entry
end

-- Whether the queues of all connections that took the message so far have given it up.
local function isGivenUp(entry)
  return entry.taken > 0 and entry.dropped >= entry.taken and entry.missing <= 0 and entry.waiting <= 0
end

local function finish(key, entry, outcome)
  -- Who acknowledges what lies behind it has not got it.
  if outcome == 'acked' and isGivenUp(entry) then outcome = 'dropped' end
  redis.call('HDEL', base .. LEDGER, key)
  redis.call('ZREM', base .. LEDGER_DUE, key)
  if entry.ack > 0 and entry.offset > 0 then redis.call('ZREM', base .. LEDGER_STREAM .. entry.stream, key) end
  local connections = outcome == 'acked' and math.max(1, entry.taken) or entry.taken
  tell(outcome, connections, outcome == 'delivered' and entry.takenAt or now, entry.about)
end

-- Returns whether the message is decided.
local function decide(key, entry, isDue)
  local outcome
  if entry.taken == 0 then
    if isDue then outcome = entry.ends > 0 and entry.ends <= now and 'expired' or 'offline' end
  elseif isDue or (entry.missing <= 0 and entry.waiting <= 0) then
    if entry.dropped >= entry.taken then
      -- Until then another connection of the user may read it in the history.
      if isDue or now >= entry.takenAt + entry.wait then outcome = 'dropped' end
    elseif entry.ack == 0 then
      outcome = 'delivered'
    elseif isDue then
      outcome = 'unacked'
    end
  end
  if not outcome then return false end
  finish(key, entry, outcome)
  return true
end

-- Adds what a node has seen.
local function note(key, heard, taken, waiting, dropped)
  local entry = entryOf(key)
  if not entry then return end
  entry.missing, entry.taken = entry.missing - heard, entry.taken + taken
  entry.waiting, entry.dropped = entry.waiting + waiting, entry.dropped + dropped
  if entry.taken > 0 then
    if entry.takenAt == 0 then entry.takenAt = now end
    local patience = entry.waiting > 0 and QUEUE_MS or entry.wait
    if entry.ack > 0 and not isGivenUp(entry) then patience = entry.ack end
    redis.call('ZADD', base .. LEDGER_DUE, entry.takenAt + patience, key)
  end
  if decide(key, entry, false) then return end
  local counts = string.format(
    '%d %d %d %d %.0f %.0f %d %d %.0f',
    entry.missing, entry.taken, entry.waiting, entry.dropped, entry.takenAt, entry.ends, entry.wait, entry.ack, entry.offset
  )
  redis.call('HSET', base .. LEDGER, key, counts .. '\t' .. entry.stream .. '\t' .. entry.about)
end
