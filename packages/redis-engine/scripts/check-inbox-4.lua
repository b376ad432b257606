-- Trims an inbox to the last batch that was processed and those behind it, and says how far it has come.
--
-- KEYS[1] inbox sequence of the node
-- KEYS[2] its inbox
-- KEYS[3] room in that inbox
-- KEYS[4] identity of the data set
-- ARGV[1] number of that batch
-- ARGV[2] bytes read since the check before
-- ARGV[3] bytes that may wait in the inbox
-- Returns {sequence or '', identity or ''}.
local sequenceKey, inbox, room, dataset = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local processed, bytesRead, inboxBytesMax = ARGV[1], ARGV[2], ARGV[3]
local sequence = redis.call('GET', sequenceKey)
redis.call('XTRIM', inbox, 'MINID', processed .. '-0')
if sequence == processed then
  -- Nothing is unread, whatever was counted.
  redis.call('SET', room, inboxBytesMax)
elseif sequence then
  redis.call('DECRBY', room, -bytesRead)
end
return { sequence or '', redis.call('GET', dataset) or '' }
