/* api_floats: vectors between JSON text and base64, bit-exact both ways; what is refused. */
#include "script/api/api_floats.h"
#include "script/bed.h"

TEST(known_values) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  /* 1, -2 and 0.1 as little-endian floats, from the IEEE 754 bits 3f800000, c0000000, 3dcccccd. */
  BED_GIVES(&bed, "return gw.floats.to_base64({ 1, -2.0, 0.1 })", "AACAPwAAAMDNzMw9");
  BED_GIVES(&bed, "return gw.floats.to_base64(gw.json.raw(' [ 1 ,\\n-2.0,\\t1e-1 ] '))", "AACAPwAAAMDNzMw9");
  BED_GIVES(&bed, "return gw.json.text(gw.floats.from_base64('AACAPwAAAMDNzMw9'))", "[1,-2,0.10000000149011612]");
  BED_GIVES(&bed, "return gw.floats.to_base64({}), gw.json.text(gw.floats.from_base64(''))", " []");
  BED_GIVES(&bed, "return gw.json.is_raw(gw.floats.from_base64('AACAPw=='))", "true");
  bed_done(&bed);
}

TEST(every_float_comes_back) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_GIVES(&bed,
            "local list = gw.json.array({}) local x = 1.17549435e-38 "
            "for i = 1, 700 do list[i] = (i % 2 == 0 and x or -x) x = x * 1.2839 end "
            "list[701] = 0.0 list[702] = 1e-45 list[703] = 3.4028234663852886e38 "
            "local text = gw.floats.to_base64(list) "
            "local again = gw.floats.to_base64(gw.floats.from_base64(text)) "
            "return text == again, #text, gw.floats.to_base64(gw.json.raw(gw.json.encode(list))) == text",
            "true 3752 true");
  bed_done(&bed);
}

TEST(what_is_no_vector_is_refused) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  static const char *const bad[] = {"{ 1, 'x' }",
                                    "gw.json.raw('{\"a\":1}')",
                                    "gw.json.raw('[1,null]')",
                                    "gw.json.raw('[[1]]')",
                                    "gw.json.raw('[\"a\"]')",
                                    "gw.json.raw('3')",
                                    "'text'"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char text[200];
    snprintf(text, sizeof text, "return pcall(gw.floats.to_base64, %s) == false", bad[i]);
    BED_GIVES(&bed, text, "true");
  }
  static const char *const texts[] = {"AAC", "AAAA", "!!!!", "AACAPw= =", " ACAPw==", "AACAPw==AACAPw==", "AACAPw=\\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char text[200];
    snprintf(text, sizeof text, "return gw.floats.from_base64('%s')", texts[i]);
    BED_GIVES(&bed, text, "nil");
  }
  bed_done(&bed);
}

UNIT_MAIN()
