/* secret: a small heap of its own. mmap, MADV_DONTDUMP, wiped slots. Any thread; one lock. */
#include "base/secret.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

#include "base/memory.h"
#include "base/must.h"

/* A secret has its pages to itself: there are few of them, and freeing one must not wait for its neighbours. */
struct secret {
  size_t mapped_bytes, len;
  char bytes[];
};

enum { PAGE_BYTES = 4096 };

struct secret *secret_join(struct slice a, struct slice b, struct slice c) {
  size_t len = a.len + b.len + c.len;
  size_t mapped = (sizeof(struct secret) + len + BUF_SLACK + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
  struct secret *s = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(s != MAP_FAILED);
  /* Both may be refused by the kernel's configuration; the process turns core dumps off as well. */
  (void)madvise(s, mapped, MADV_DONTDUMP);
  (void)madvise(s, mapped, MADV_DONTFORK);
  s->mapped_bytes = mapped;
  s->len = len;
  char *at = s->bytes;
  struct slice parts[] = {a, b, c};
  for (unsigned i = 0; i < 3; i++) {
    if (parts[i].len > 0) memcpy(at, parts[i].ptr, parts[i].len);
    at += parts[i].len;
  }
  return s;
}

struct secret *secret_new(struct slice bytes) {
  return secret_join(bytes, SLICE(""), SLICE(""));
}

void secret_free(struct secret *s) {
  if (s == NULL) return;
  size_t mapped = s->mapped_bytes;
  OPENSSL_cleanse(s, mapped);
  munmap(s, mapped);
}

struct slice secret_view(const struct secret *s) {
  return s ? slice_of(s->bytes, s->len) : slice_of(NULL, 0);
}

char *secret_place(struct secret *s) {
  return s->bytes;
}

bool secret_equals(const struct secret *s, struct slice other) {
  return s != NULL && s->len == other.len && CRYPTO_memcmp(s->bytes, other.ptr, other.len) == 0;
}

void secret_wipe(void *memory, size_t bytes) {
  OPENSSL_cleanse(memory, bytes);
}

unsigned secret_scrub(const struct secret *s, char *bytes, size_t len) {
  unsigned count = 0;
  if (s == NULL || s->len < 4) return 0;
  for (char *at = bytes; (at = memmem(at, len - (size_t)(at - bytes), s->bytes, s->len)) != NULL; count++) {
    memset(at, '*', s->len);
    at += s->len;
  }
  return count;
}
