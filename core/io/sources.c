/* sources: a small list of path and text. One thread at a time, but for the count. */
#include "io/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

struct source {
  char *path;
  struct buf text;
};

struct sources {
  atomic_uint refs;
  struct source *files; /* sorted by path */
  unsigned count;
};

struct sources *sources_new(void) {
  struct sources *s = mem_new(struct sources);
  atomic_init(&s->refs, 1);
  return s;
}

struct sources *sources_ref(struct sources *s) {
  atomic_fetch_add(&s->refs, 1);
  return s;
}

void sources_unref(struct sources *s) {
  if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1) return;
  for (unsigned i = 0; i < s->count; i++) {
    mem_free(s->files[i].path);
    buf_done(&s->files[i].text);
  }
  mem_free(s->files);
  mem_free(s);
}

static bool read_file(const char *path, struct buf *out, struct err *e) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return err_set(e, "%s: %s", path, strerror(errno));
  struct stat about;
  bool fine = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  if (!fine) err_set(e, "%s: is not a file", path);
  while (fine) {
    if (out->len > SOURCE_BYTES_MAX) {
      fine = err_set(e, "%s: is larger than %d bytes", path, SOURCE_BYTES_MAX);
      break;
    }
    ssize_t got = read(fd, buf_reserve(out, 65536), 65536);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fine = err_set(e, "%s: %s", path, strerror(errno));
    else out->len += (size_t)got;
  }
  close(fd);
  return fine;
}

bool sources_read(struct sources *s, const char *path, struct slice *out, struct err *e) {
  unsigned at = 0;
  while (at < s->count && strcmp(s->files[at].path, path) < 0) at++;
  if (at < s->count && strcmp(s->files[at].path, path) == 0) {
    *out = buf_view(&s->files[at].text);
    return true;
  }
  struct buf text = {0};
  if (!read_file(path, &text, e)) {
    buf_done(&text);
    return false;
  }
  s->files = mem_resize(s->files, (s->count + 1) * sizeof *s->files);
  memmove(s->files + at + 1, s->files + at, (s->count - at) * sizeof *s->files);
  s->count++;
  s->files[at] = (struct source){mem_text(path, strlen(path)), text};
  *out = buf_view(&s->files[at].text);
  return true;
}

static uint64_t fnv(uint64_t hash, const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
  return hash;
}

uint64_t sources_hash(const struct sources *s) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (unsigned i = 0; i < s->count; i++) {
    hash = fnv(hash, s->files[i].path, strlen(s->files[i].path) + 1);
    hash = fnv(hash, s->files[i].text.ptr, s->files[i].text.len);
    hash = fnv(hash, "", 1);
  }
  return hash;
}

bool sources_stale(const struct sources *s) {
  for (unsigned i = 0; i < s->count; i++) {
    struct buf now = {0};
    struct err e;
    bool same = read_file(s->files[i].path, &now, &e) && slice_eq(buf_view(&now), buf_view(&s->files[i].text));
    buf_done(&now);
    if (!same) return true;
  }
  return false;
}

const char *sources_path(const struct sources *s, unsigned index) {
  return index < s->count ? s->files[index].path : NULL;
}
