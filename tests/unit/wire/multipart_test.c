/* multipart: what parts a form has, and what is refused because two readers could see different ones. */
#include "wire/multipart.h"

#include <stdlib.h>

#include "check.h"

static const char *const type = "multipart/form-data; boundary=b";

/* "name=value;" of each part, '@' before a file's value; "?" when it is broken. */
static struct buf parts_of(const char *content_type, const char *body, size_t len) {
  struct multipart m;
  struct multipart_part part;
  struct buf out = {0};
  enum multipart_verdict verdict = MULTIPART_BROKEN;
  if (multipart_begin(&m, slice_text(content_type), slice_of(body, len))) {
    while ((verdict = multipart_next(&m, &part)) == MULTIPART_PART) {
      buf_slice(&out, part.name);
      buf_text(&out, part.filename.ptr != NULL ? "=@" : "=");
      buf_slice(&out, part.value);
      buf_byte(&out, ';');
    }
  }
  if (verdict == MULTIPART_BROKEN) {
    CHECK(m.why != NULL && m.why[0] != '\0');
    buf_byte(&out, '?');
  }
  return out;
}

static void reads(const char *content_type, const char *body, const char *expected) {
  struct buf out = parts_of(content_type, body, strlen(body));
  CHECK_SLICE(buf_view(&out), expected);
  buf_done(&out);
}

#define PART(disposition, value) "--b\r\ncontent-disposition: " disposition "\r\n\r\n" value "\r\n"

TEST(parts) {
  reads(type, PART("form-data; name=\"model\"", "m") "--b--", "model=m;");
  reads(type, PART("form-data; name=\"a\"", "") PART("form-data; name=\"b\"", "x\r\ny") "--b--\r\n", "a=;b=x\r\ny;");
  reads(type, PART("Form-Data ; Name=a ; filename=\"f;g\"", "-b\r\n-b") "--b--", "a=@-b\r\n-b;");
  reads("multipart/form-data; charset=utf-8; boundary=\"a b=:\"",
        "--a b=:\r\nX: y\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\nv\r\n--a b=:--", "n=v;");
  reads(type, "--b\r\ncontent-disposition: form-data; name=\"n\"\r\n\r\n\r\n--b--", "n=;");
  reads(type, "--b--", "");
}

TEST(what_is_no_form) {
  static const char *const types[] = {"",
                                      "multipart/form-data",
                                      "multipart/form-data; boundary=",
                                      "multipart/form-data; boundary=\"b",
                                      "multipart/form-data; boundary=b; boundary=c",
                                      "multipart/mixed; boundary=b",
                                      "multipart/form-data; boundary=b; x",
                                      "multipart/form-data; boundary="
                                      "0123456789012345678901234567890123456789012345678901234567890123456789x"};
  for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
    reads(types[i], PART("form-data; name=\"a\"", "x") "--b--", "?");
  static const char *const bodies[] = {
      "",
      "preamble\r\n--b--",
      "--b",
      "--b\r\n",
      "--bb--",
      PART("form-data; name=\"a\"", "x"),
      PART("form-data; name=\"a\"", "x") "--b-",
      PART("form-data", "x") "--b--",
      PART("form-data; name=\"a\"; name=\"b\"", "x") "--b--",
      PART("form-data; name=\"a\\\"b\"", "x") "--b--",
      PART("form-data; name=\"a", "x") "--b--",
      PART("attachment; name=\"a\"", "x") "--b--",
      PART("form-data; name=\"a\"\r\ncontent-disposition: form-data; name=\"b\"", "x") "--b--",
      "--b\r\nno colon\r\n\r\nx\r\n--b--",
      "--b\ncontent-disposition: form-data; name=\"a\"\n\nx\n--b--"};
  for (unsigned i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    struct buf out = parts_of(type, bodies[i], strlen(bodies[i]));
    CHECK(out.len > 0 && out.ptr[out.len - 1] == '?');
    if (out.len == 0 || out.ptr[out.len - 1] != '?') fprintf(stderr, "body %u: %.*s\n", i, (int)out.len, out.ptr);
    buf_done(&out);
  }
}

TEST(every_cut_of_a_form_is_broken_or_whole) {
  static const char body[] =
      PART("form-data; name=\"model\"", "m") PART("form-data; name=\"f\"; filename=\"x\"", "\r\n") "--b--\r\n";
  for (size_t len = 0; len < sizeof body; len++) {
    char *exact = malloc(len ? len : 1); /* so that a sanitiser sees a read behind it */
    memcpy(exact, body, len);
    struct buf out = parts_of(type, exact, len);
    bool whole = out.len == 0 || out.ptr[out.len - 1] != '?';
    CHECK(whole == (len >= sizeof body - 3));
    buf_done(&out);
    free(exact);
  }
}

UNIT_MAIN()
