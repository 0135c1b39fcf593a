local testing = require("gw.testing")

describe("builtin", function()
  it("gives the targets in the order of the config, whatever the request", function()
    local policy = testing.policy("policies/builtin.lua", { targets = { "a/one", "b/two", "a/three" } })
    assert.same({ "a/one", "b/two", "a/three" }, policy:route {})
    assert.same({ "a/one", "b/two", "a/three" }, policy:route { prompt_tokens = 100000 })
  end)
end)
