-- Trims an inbox to the last batch that was processed and those behind it, and says how far it has come.
--
-- KEYS[1] inbox sequence of the node
-- KEYS[2] its inbox
-- KEYS[3] identity of the data set
-- ARGV[1] number of that batch
-- Returns {sequence or '', identity or ''}.
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[1] .. '-0')
return { redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[3]) or '' }
