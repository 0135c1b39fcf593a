/* url: what a base URL may be, and that nothing leaves its path segment. */
#include "wire/url.h"

#include "check.h"

static struct url url;
static struct err err;

static bool parse(const char *text) {
  return url_parse(slice_text(text), &url, &err);
}

static void check_url(const char *text, bool tls, const char *host, const char *authority, unsigned port,
                      const char *path) {
  bool fine = parse(text);
  if (!fine) fprintf(stderr, "%s: %s\n", text, err.text);
  CHECK(fine);
  if (!fine) return;
  CHECK_INT(url.tls, tls);
  CHECK_SLICE(url.host, host);
  CHECK_SLICE(url.authority, authority);
  CHECK_INT(url.port, port);
  CHECK_SLICE(url.path, path);
}

TEST(accepts) {
  check_url("https://api.openai.com/v1", true, "api.openai.com", "api.openai.com", 443, "/v1");
  check_url("https://api.openai.com", true, "api.openai.com", "api.openai.com", 443, "");
  check_url("https://api.openai.com/", true, "api.openai.com", "api.openai.com", 443, "");
  check_url("https://api.openai.com/v1///", true, "api.openai.com", "api.openai.com", 443, "/v1");
  check_url("http://127.0.0.1:9001/x", false, "127.0.0.1", "127.0.0.1:9001", 9001, "/x");
  check_url("http://localhost:80", false, "localhost", "localhost", 80, "");
  check_url("https://h:443/p", true, "h", "h", 443, "/p");
  check_url("https://h:80", true, "h", "h:80", 80, "");
  check_url("http://[::1]:8080/v1", false, "::1", "[::1]:8080", 8080, "/v1");
  check_url("http://[::1]", false, "::1", "[::1]", 80, "");
  check_url("HTTPS://Host_1/a%20b/c~d", true, "Host_1", "Host_1", 443, "/a%20b/c~d");
  check_url("http://h/.../..a/a..", false, "h", "h", 80, "/.../..a/a..");
}

TEST(refuses) {
  static const char *const bad[] = {
      "",
      "http",
      "http:/h",
      "ftp://h",
      "//h",
      "h",
      "http://",
      "https:///p",
      "http://:80",
      "http://h:",
      "http://h:0",
      "http://h:65536",
      "http://h:99999999999999999999",
      "http://h:8x",
      "http://h:+80",
      "http://u@h",
      "http://u:p@h/v1",
      "http://h?q",
      "http://h/p?q",
      "http://h#f",
      "http://h/p#f",
      "http://h/..",
      "http://h/a/../b",
      "http://h/./b",
      "http://h/a/%2e%2E",
      "http://h/.%2e/b",
      "http://h/a b",
      "http://h/\n",
      "http://h\r\nX: y",
      "http://h/\177",
      "http://h/caf\303\251",
      "http://h/%",
      "http://h/%2",
      "http://h/%zz",
      "http://[::1",
      "http://[]",
      "http://[::1]x",
      "http://[h]",
      "http://h\\p",
      "http://h/a\\b",
      "http://a,b",
      " http://h",
      "http://h ",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    err.text[0] = '\0';
    bool fine = parse(bad[i]);
    if (fine) fprintf(stderr, "accepted: %s\n", bad[i]);
    CHECK(!fine);
    CHECK(err.text[0] != '\0');
  }
}

TEST(a_password_is_not_repeated) {
  CHECK(!parse("https://user:hunter2@h/v1"));
  CHECK(strstr(err.text, "hunter2") == NULL);
}

static void check_segment(const char *segment, const char *expected) {
  struct buf out = {0};
  buf_text(&out, "/");
  url_put_segment(&out, slice_text(segment));
  CHECK_SLICE(slice_from(buf_view(&out), 1), expected);
  buf_done(&out);
}

TEST(segments) {
  check_segment("gpt-4.1_mini~x", "gpt-4.1_mini~x");
  check_segment("a/b?c#d%e", "a%2Fb%3Fc%23d%25e");
  check_segment("../x", "..%2Fx");
  check_segment("..", "%252E%252E");
  check_segment(".", "%252E");
  check_segment("...", "...");
  check_segment("a b\r\n:\377", "a%20b%0D%0A%3A%FF");
  check_segment("", "");
}

TEST(segments_come_back) {
  char all[255], decoded[3 * 255];
  struct buf out = {0};
  size_t len = 0, decoded_len = 0;
  for (int byte = 0x20; byte < 256; byte++)
    if (byte != 0x7f) all[len++] = (char)byte;
  url_put_segment(&out, slice_of(all, len));
  CHECK(slice_find_byte(buf_view(&out), '/') < 0);
  CHECK(url_decode(buf_view(&out), decoded, &decoded_len));
  CHECK(slice_eq(slice_of(decoded, decoded_len), slice_of(all, len)));
  buf_done(&out);
}

TEST(decoding) {
  char out[64];
  size_t len = 0;
  CHECK(url_decode(SLICE("a%20b%2F%c3%A9+"), out, &len));
  CHECK_SLICE(slice_of(out, len), "a b/\303\251+");
  CHECK(url_decode(SLICE(""), out, &len) && len == 0);
  static const char *const bad[] = {"%", "%4", "a%4", "%zz", "%4g", "%00", "%0a", "%7F", "a\tb", "a\nb"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!url_decode(slice_text(bad[i]), out, &len));
}

UNIT_MAIN()
