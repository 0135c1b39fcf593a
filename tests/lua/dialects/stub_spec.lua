-- What dialect files take for granted of gw.json, as the script API promises it. Run against the gateway's own gw where
-- a test host provides it, and against the stand-in of tests/lua/gw_stub.lua otherwise.

local gw = dofile("tests/lua/dialects/load.lua").gw
local json = gw.json

describe("gw.json", function()
  it("decodes with integers, floats, null and arrays told apart", function()
    local v = assert(json.decode('{"i":9007199254740993,"f":1.5,"n":null,"a":[],"o":{},"s":"\\u00e9\\ud83d\\ude00"}'))
    assert.are.equal("integer", math.type(v.i))
    assert.are.equal(9007199254740993, v.i)
    assert.are.equal(1.5, v.f)
    assert.are.equal(json.null, v.n)
    assert.is_true(json.is_array(v.a))
    assert.is_false(json.is_array(v.o))
    assert.are.equal("é\u{1F600}", v.s)
  end)

  it("keeps named keys raw, at any depth, byte for byte, when they are arrays or objects", function()
    local v = assert(json.decode('{"p":{"b": 1,"a":12345678901234567890},"x":[{"p":[1 , 2]}],"y":{"p":"s"}}',
      { raw = { p = true } }))
    assert.is_true(json.is_raw(v.p))
    assert.are.equal('{"b": 1,"a":12345678901234567890}', json.text(v.p))
    assert.are.equal("[1 , 2]", json.text(v.x[1].p))
    assert.are.equal("s", v.y.p)
    assert.are.equal('{"p":{"b": 1,"a":12345678901234567890}}', json.encode({ p = v.p }))
  end)

  it("encodes keys sorted, empty tables as objects, marked ones as arrays", function()
    assert.are.equal('{"a":[],"b":{},"c":[1,"x",null,true]}',
      json.encode({ c = { 1, "x", json.null, true }, b = {}, a = json.array({}) }))
    assert.are.equal('"a\\"\\\\\\n"', json.text("a\"\\\n"))
    assert.is_false(pcall(json.encode, { x = 0 / 0 }))
  end)

  it("says what is not JSON", function()
    for _, text in ipairs({ "", "{", "[1,]", '{"a" 1}', "nul", '"\1"', "1 2" }) do
      local v, message = json.decode(text)
      assert.is_nil(v)
      assert.is_string(message)
      assert.is_false(json.valid(text))
      assert.is_false(pcall(json.raw, text))
    end
    assert.is_true(json.valid(' {"a":1} '))
  end)
end)

describe("gw", function()
  it("makes ids and hashes", function()
    assert.are.equal("x_", gw.id("x_"):sub(1, 2))
    assert.are_not.equal(gw.id("x_"), gw.id("x_"))
    assert.are.equal(26, #gw.id("x_"))
    assert.are.equal(gw.hash("a"), gw.hash("a"))
    assert.are_not.equal(gw.hash("a"), gw.hash("b"))
    assert.are.equal(16, #gw.hash("a"))
    assert.are.equal(24, #gw.hash("a", 24))
    assert.is_true(gw.now_ms() > 1.6e12)
  end)
end)
