/* recorded: finds what tests read at run time from outside of the checkout: $MOONGATE_SHARED, else ../shared beside it.
 * Corpora and recorded provider traffic are there; each test also has its own vectors, for where they are not. */
#ifndef MOONGATE_TESTS_WIRE_RECORDED_H
#define MOONGATE_TESTS_WIRE_RECORDED_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/must.h"
#include "wire/json.h"

/* The path of `part` below the shared folder. */
static inline char *recorded_path(const char *part, char *out, size_t out_bytes) {
  const char *shared = getenv("MOONGATE_SHARED");
  const char *tests = strstr(__FILE__, "tests/unit/");
  if (shared) snprintf(out, out_bytes, "%s/%s", shared, part);
  else snprintf(out, out_bytes, "%.*s../shared/%s", tests ? (int)(tests - __FILE__) : 0, __FILE__, part);
  return out;
}

/* The whole file, with slack behind it; the caller frees it with buf_done. */
static inline struct buf recorded_file(const char *path) {
  struct buf content = {0};
  FILE *file = fopen(path, "rb");
  must(file != NULL);
  for (;;) {
    char *at = buf_reserve(&content, 65536);
    size_t got = fread(at, 1, 65536, file);
    if (got == 0) break;
    content.len += got;
  }
  fclose(file);
  return content;
}

/* Calls `each` for every recorded exchange whose stream_framing is `framing` ("sse", "ndjson", "json-array",
 * "aws-eventstream"), with its file's name and its response body: base64 text for aws-eventstream. Returns how many
 * there were. */
static inline unsigned recorded_streams(const char *framing, void (*each)(const char *name, struct slice body)) {
  static const char *const framing_path[] = {"stream_framing", NULL}, *const body_path[] = {"response_body", NULL};
  char root[4096], folder[8192], path[16384];
  unsigned count = 0;
  DIR *providers = opendir(recorded_path("wire", root, sizeof root));
  for (struct dirent *provider; providers && (provider = readdir(providers)) != NULL;) {
    snprintf(folder, sizeof folder, "%s/%s", root, provider->d_name);
    DIR *exchanges = provider->d_name[0] == '.' ? NULL : opendir(folder);
    for (struct dirent *exchange; exchanges && (exchange = readdir(exchanges)) != NULL;) {
      if (!slice_ends(slice_text(exchange->d_name), SLICE(".json"))) continue;
      snprintf(path, sizeof path, "%s/%s", folder, exchange->d_name);
      struct buf content = recorded_file(path), body = {0};
      struct slice named;
      if (json_plain(json_find(buf_view(&content), framing_path), &named) && slice_eq(named, slice_text(framing))) {
        struct slice raw = json_find(buf_view(&content), body_path);
        must(json_unquote(raw, buf_reserve(&body, raw.len), &body.len));
        each(exchange->d_name, buf_view(&body));
        count++;
      }
      buf_done(&content);
      buf_done(&body);
    }
    if (exchanges) closedir(exchanges);
  }
  if (providers) closedir(providers);
  return count;
}

#endif
