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
  /* They are kept: of the size they have, and one byte more to see the end in. */
  size_t room = fine && about.st_size < SOURCE_BYTES_MAX ? (size_t)about.st_size + 1 : 65536;
  while (fine) {
    if (out->len > SOURCE_BYTES_MAX) {
      fine = err_set(e, "%s: is larger than %d bytes", path, SOURCE_BYTES_MAX);
      break;
    }
    ssize_t got = read(fd, buf_reserve(out, room), room);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fine = err_set(e, "%s: %s", path, strerror(errno));
    else out->len += (size_t)got;
    if (fine && (size_t)got <= room) room -= (size_t)got;
    if (room == 0) room = 65536;
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

static const uint64_t HASH_START = 0xcbf29ce484222325u; /* FNV-1a, 64 bits */

static uint64_t fnv(uint64_t hash, const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
  return hash;
}

static uint64_t add_to_hash(uint64_t hash, const char *path, const struct buf *text) {
  hash = fnv(hash, path, strlen(path) + 1);
  hash = fnv(hash, text->ptr, text->len);
  return fnv(hash, "", 1);
}

uint64_t sources_hash(const struct sources *s) {
  uint64_t hash = HASH_START;
  for (unsigned i = 0; i < s->count; i++) hash = add_to_hash(hash, s->files[i].path, &s->files[i].text);
  return hash;
}

uint64_t sources_hash_on_disk(const struct sources *s) {
  uint64_t hash = HASH_START;
  for (unsigned i = 0; i < s->count; i++) {
    struct buf now = {0};
    struct err e;
    if (!read_file(s->files[i].path, &now, &e)) now.len = 0;
    hash = add_to_hash(hash, s->files[i].path, &now);
    buf_done(&now);
  }
  return hash;
}

const char *sources_path(const struct sources *s, unsigned index) {
  return index < s->count ? s->files[index].path : NULL;
}
