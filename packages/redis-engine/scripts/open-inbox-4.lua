-- Opens the inbox of a node in one partition. What is left of one that was open before goes.
--
-- KEYS[1] inbox sequence of the node
-- KEYS[2] its inbox
-- KEYS[3] room in that inbox
-- KEYS[4] identity of the data set
-- ARGV[1] identity if there is none
-- ARGV[2] bytes that may wait in the inbox
-- Returns the identity of the data set.
local sequence, inbox, room, dataset = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local identity, inboxBytesMax = ARGV[1], ARGV[2]
redis.call('SET', dataset, identity, 'NX')
redis.call('UNLINK', inbox)
redis.call('SET', room, inboxBytesMax)
redis.call('SET', sequence, 0)
return redis.call('GET', dataset)
