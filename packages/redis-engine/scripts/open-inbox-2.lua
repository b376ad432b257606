-- Opens the inbox of a node in one partition.
--
-- KEYS[1] inbox sequence of the node
-- KEYS[2] identity of the data set
-- ARGV[1] identity if there is none
-- Returns the identity of the data set.
redis.call('SET', KEYS[2], ARGV[1], 'NX')
redis.call('SET', KEYS[1], 0)
return redis.call('GET', KEYS[2])
