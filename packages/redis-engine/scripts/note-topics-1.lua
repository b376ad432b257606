-- Keeps how a group first saw its topics.
--
-- KEYS[1] what the group has seen, by topic
-- ARGV three for each topic: name, what is seen now, '1' when that is kept in any case
-- Returns what is kept of each topic.
local kept = {}
for at = 1, #ARGV, 3 do
  local sight = ARGV[at + 2] == '' and redis.call('HGET', KEYS[1], ARGV[at])
  if not sight then
    sight = ARGV[at + 1]
    redis.call('HSET', KEYS[1], ARGV[at], sight)
  end
  kept[#kept + 1] = sight
end
return kept
