/* json_corpus: the public corpus JSONTestSuite (test_parsing), where it is found: every y_ file accepted, every n_ file
 * refused with a place, the i_ files (left open by RFC 8259) decided by the table here. The same i_ cases are also
 * spelled out, so that the decisions are tested without the corpus. */
#include "check.h"

#include "wire/recorded.h"

/* Numbers pass as they are, whatever their size; escapes of lone surrogates too. Bytes that are not UTF-8, a byte order
 * mark, and nesting past JSON_DEPTH_MAX are refused. */
static const struct {
  const char *name;
  bool accepted;
  struct slice text; /* ptr NULL: built by the test */
} open_cases[] = {
    {"i_number_double_huge_neg_exp.json", true, SLICE_INIT("[123.456e-789]")},
    {"i_number_huge_exp.json", true, SLICE_INIT("[0.4e00669999999999999999999999999999999999999999999999999999]")},
    {"i_number_neg_int_huge_exp.json", true, SLICE_INIT("[-1e+9999]")},
    {"i_number_pos_double_huge_exp.json", true, SLICE_INIT("[1.5e+9999]")},
    {"i_number_real_neg_overflow.json", true, SLICE_INIT("[-123123e100000]")},
    {"i_number_real_pos_overflow.json", true, SLICE_INIT("[123123e100000]")},
    {"i_number_real_underflow.json", true, SLICE_INIT("[123e-10000000]")},
    {"i_number_too_big_neg_int.json", true, SLICE_INIT("[-123123123123123123123123123123]")},
    {"i_number_too_big_pos_int.json", true, SLICE_INIT("[100000000000000000000]")},
    {"i_number_very_big_negative_int.json", true, SLICE_INIT("[-237462374673276894279832749832423479823246327846]")},
    {"i_object_key_lone_2nd_surrogate.json", true, SLICE_INIT("{\"\\uDFAA\":0}")},
    {"i_string_1st_surrogate_but_2nd_missing.json", true, SLICE_INIT("[\"\\uDADA\"]")},
    {"i_string_1st_valid_surrogate_2nd_invalid.json", true, SLICE_INIT("[\"\\uD888\\u1234\"]")},
    {"i_string_UTF-16LE_with_BOM.json", false, SLICE_INIT("\xff\xfe[\0\"\0\xe9\0\"\0]\0")},
    {"i_string_UTF-8_invalid_sequence.json", false, SLICE_INIT("[\"\xe6\x97\xa5\xd1\x88\xfa\"]")},
    {"i_string_UTF8_surrogate_U+D800.json", false, SLICE_INIT("[\"\xed\xa0\x80\"]")},
    {"i_string_incomplete_surrogate_and_escape_valid.json", true, SLICE_INIT("[\"\\uD800\\n\"]")},
    {"i_string_incomplete_surrogate_pair.json", true, SLICE_INIT("[\"\\uDd1ea\"]")},
    {"i_string_incomplete_surrogates_escape_valid.json", true, SLICE_INIT("[\"\\uD800\\uD800\\n\"]")},
    {"i_string_invalid_lonely_surrogate.json", true, SLICE_INIT("[\"\\ud800\"]")},
    {"i_string_invalid_surrogate.json", true, SLICE_INIT("[\"\\ud800abc\"]")},
    {"i_string_invalid_utf-8.json", false, SLICE_INIT("[\"\xff\"]")},
    {"i_string_inverted_surrogates_U+1D11E.json", true, SLICE_INIT("[\"\\uDd1e\\uD834\"]")},
    {"i_string_iso_latin_1.json", false, SLICE_INIT("[\"\xe9\"]")},
    {"i_string_lone_second_surrogate.json", true, SLICE_INIT("[\"\\uDFAA\"]")},
    {"i_string_lone_utf8_continuation_byte.json", false, SLICE_INIT("[\"\x81\"]")},
    {"i_string_not_in_unicode_range.json", false, SLICE_INIT("[\"\xf4\xbf\xbf\xbf\"]")},
    {"i_string_overlong_sequence_2_bytes.json", false, SLICE_INIT("[\"\xc0\xaf\"]")},
    {"i_string_overlong_sequence_6_bytes.json", false, SLICE_INIT("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]")},
    {"i_string_overlong_sequence_6_bytes_null.json", false, SLICE_INIT("[\"\xfc\x80\x80\x80\x80\x80\"]")},
    {"i_string_truncated-utf-8.json", false, SLICE_INIT("[\"\xe0\xff\"]")},
    {"i_string_utf16BE_no_BOM.json", false, SLICE_INIT("\0[\0\"\0\xe9\0\"\0]")},
    {"i_string_utf16LE_no_BOM.json", false, SLICE_INIT("[\0\"\0\xe9\0\"\0]\0")},
    {"i_structure_500_nested_arrays.json", false, {NULL, 0}},
    {"i_structure_UTF-8_BOM_empty_object.json", false, SLICE_INIT("\xef\xbb\xbf{}")},
};
enum { OPEN_CASES = sizeof open_cases / sizeof *open_cases };

static bool accepted(struct slice text, struct json_fault *fault) {
  struct buf padded = {0};
  buf_slice(&padded, text);
  buf_reserve(&padded, 0);
  *fault = (struct json_fault){SIZE_MAX, NULL};
  bool ok = json_valid(buf_view(&padded), fault);
  buf_done(&padded);
  return ok;
}

TEST(open_cases_are_decided) {
  for (size_t i = 0; i < OPEN_CASES; i++) {
    struct json_fault fault;
    struct buf nested = {0};
    struct slice text = open_cases[i].text;
    if (text.ptr == NULL) {
      memset(buf_reserve(&nested, 1000), '[', 500);
      memset(nested.ptr + 500, ']', 500);
      nested.len = 1000;
      text = buf_view(&nested);
    }
    bool ok = accepted(text, &fault);
    if (ok != open_cases[i].accepted) fprintf(stderr, "%s\n", open_cases[i].name);
    CHECK(ok == open_cases[i].accepted);
    if (!ok) CHECK(fault.why != NULL && fault.at <= text.len);
    buf_done(&nested);
  }
}

static bool expected(const char *name) {
  if (name[0] != 'i') return name[0] == 'y';
  for (size_t i = 0; i < OPEN_CASES; i++)
    if (strcmp(open_cases[i].name, name) == 0) return open_cases[i].accepted;
  fprintf(stderr, "%s has no decision\n", name);
  CHECK(false);
  return false;
}

TEST(every_file_of_the_corpus) {
  char folder[4096], path[8192];
  unsigned y = 0, n = 0, i = 0;
  DIR *files = opendir(recorded_path("corpora/json/test_parsing", folder, sizeof folder));
  if (files == NULL) {
    printf("no corpus in %s: own cases only\n", folder);
    return;
  }
  for (struct dirent *file; (file = readdir(files)) != NULL;) {
    if (!slice_ends(slice_text(file->d_name), SLICE(".json"))) continue;
    snprintf(path, sizeof path, "%s/%s", folder, file->d_name);
    struct buf content = recorded_file(path);
    struct json_fault fault;
    bool ok = accepted(buf_view(&content), &fault);
    if (ok != expected(file->d_name)) fprintf(stderr, "%s %s\n", file->d_name, ok ? "accepted" : fault.why);
    CHECK(ok == expected(file->d_name));
    if (!ok) CHECK(fault.why != NULL && fault.at <= content.len);
    y += file->d_name[0] == 'y';
    n += file->d_name[0] == 'n';
    i += file->d_name[0] == 'i';
    buf_done(&content);
  }
  closedir(files);
  CHECK_INT(y, 95);
  CHECK_INT(n, 188);
  CHECK_INT(i, 35);
}

UNIT_MAIN()
