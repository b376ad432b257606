-- Blocks, which must outlive what Redis evicts: their keys have no expiry, the time is in their JSON, and nodes take away
-- those that are over (sweep-2.lua). Needs the locals `base` (key prefix with hash tag) and `now`.
local function holds(block)
  local expiresAt = string.match(block, '"expiresAtMs":(%d+)')
  return not expiresAt or tonumber(expiresAt) > now
end

-- `json` '' lifts the block; `expiresAt` '' is for ever.
local function setBlock(user, json, expiresAt)
  local key, member = base .. BLOCK .. user, 'b ' .. user
  if json == '' then
    redis.call('DEL', key)
    redis.call('ZREM', base .. BLOCKED, user)
  else
    redis.call('SET', key, json)
    redis.call('ZADD', base .. BLOCKED, 0, user)
  end
  if json == '' or expiresAt == '' then
    redis.call('ZREM', base .. EXPIRIES, member)
  else
    redis.call('ZADD', base .. EXPIRIES, expiresAt, member)
  end
end
