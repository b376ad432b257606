-- Takes away blocks and revocations whose time is over.
--
-- KEYS[1] base: prefix with hash tag; keys of blocks and revocations are built from it (same slot)
-- KEYS[2] ends of blocks and revocations
-- ARGV[1] how many at most
-- Returns how many ends were looked at.
local base, expiries = KEYS[1], KEYS[2]
local limit = ARGV[1]

-- @include clock
-- @include blocks

local over = redis.call('ZRANGE', expiries, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)
for _, member in ipairs(over) do
  local kind, name = string.match(member, '^(%a) (.*)$')
  if kind == 'b' then
    local block = redis.call('GET', base .. BLOCK .. name)
    -- Another block may have taken its place.
    if block and not holds(block) then setBlock(name, '', '') end
  else
    redis.call('DEL', base .. (kind == 't' and REVOKED_TOKEN or REVOKED_BEFORE) .. name)
  end
  redis.call('ZREM', expiries, member)
end
return #over
