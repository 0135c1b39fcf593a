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

/* One walk over the recorded exchanges, those of all providers or of one:
 *     for (struct recorded_walk w = {.only = "xai"}; recorded_next(&w);) use(w.name, w.file); */
struct recorded_walk {
  const char *only;  /* folder of a provider; NULL: all */
  const char *name;  /* of the exchange's file */
  struct slice file; /* its bytes, with slack behind, until the next one */
  unsigned count;    /* so far */
  DIR *providers, *exchanges;
  char root[4096], folder[8192];
  struct buf content;
};

static inline bool recorded_next_folder(struct recorded_walk *w) {
  if (w->root[0] == '\0') w->providers = opendir(recorded_path("wire", w->root, sizeof w->root));
  for (struct dirent *p; w->providers && (p = readdir(w->providers)) != NULL;) {
    if (p->d_name[0] == '.' || (w->only && strcmp(p->d_name, w->only) != 0)) continue;
    snprintf(w->folder, sizeof w->folder, "%s/%s", w->root, p->d_name);
    w->exchanges = opendir(w->folder);
    if (w->exchanges) return true;
  }
  if (w->providers) closedir(w->providers);
  w->providers = NULL;
  return false;
}

static inline bool recorded_next(struct recorded_walk *w) {
  buf_done(&w->content);
  while (w->exchanges || recorded_next_folder(w)) {
    for (struct dirent *x; (x = readdir(w->exchanges)) != NULL;) {
      if (!slice_ends(slice_text(x->d_name), SLICE(".json"))) continue;
      char path[16384];
      snprintf(path, sizeof path, "%s/%s", w->folder, x->d_name);
      w->name = x->d_name;
      w->content = recorded_file(path);
      w->file = buf_view(&w->content);
      w->count++;
      return true;
    }
    closedir(w->exchanges);
    w->exchanges = NULL;
  }
  return false;
}

/* Calls `each` for every recorded exchange whose stream_framing is `framing` ("sse", "ndjson", "json-array",
 * "aws-eventstream"), with its file's name and its response body: base64 text for aws-eventstream. Returns how many
 * there were. */
static inline unsigned recorded_streams(const char *framing, void (*each)(const char *name, struct slice body)) {
  static const char *const framing_path[] = {"stream_framing", NULL}, *const body_path[] = {"response_body", NULL};
  unsigned count = 0;
  for (struct recorded_walk w = {0}; recorded_next(&w);) {
    struct slice named;
    if (!json_plain(json_find(w.file, framing_path), &named) || !slice_eq(named, slice_text(framing))) continue;
    struct buf body = {0};
    struct slice raw = json_find(w.file, body_path);
    must(json_unquote(raw, buf_reserve(&body, raw.len), &body.len));
    each(w.name, buf_view(&body));
    buf_done(&body);
    count++;
  }
  return count;
}

#endif
