-- Values of 100 bytes under random keys of 10,000.
local body = string.rep("x", 100)
local headers = { ["Content-Type"] = "text/plain" }
request = function()
  return wrk.format("PUT", "/v1/kv/default/key" .. math.random(1, 10000), headers, body)
end
