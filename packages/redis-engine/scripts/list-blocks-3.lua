-- Lists blocks that hold, in the order of their users' bytes, and forgets users of the list who have none.
--
-- KEYS[1] base: prefix with hash tag; keys of blocks are built from it (same slot)
-- KEYS[2] users with a block, and some who had one
-- KEYS[3] says that the list is complete
-- ARGV[1] where to begin: '-' or '(' and a user, whose own block is left out
-- ARGV[2] how many at most
-- Returns {'' when the list is not complete yet, else '1', user, block JSON, …}.
local base, listed, from, limit = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])

-- @include clock
-- @include blocks

if redis.call('EXISTS', KEYS[3]) == 0 then return { '' } end
local reply = { '1' }
while #reply < 2 * limit do
  local users = redis.call('ZRANGE', listed, from, '+', 'BYLEX', 'LIMIT', 0, limit)
  for _, user in ipairs(users) do
    local block = redis.call('GET', base .. BLOCK .. user)
    if not block then
      redis.call('ZREM', listed, user)
    elseif holds(block) and #reply < 2 * limit then
      reply[#reply + 1], reply[#reply + 2] = user, block
    end
    from = '(' .. user
  end
  if #users < limit then break end
end
return reply
