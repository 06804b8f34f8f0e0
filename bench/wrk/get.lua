-- Random keys of 10,000, the ones that put.lua writes.
request = function()
  return wrk.format("GET", "/v1/kv/default/key" .. math.random(1, 10000))
end
