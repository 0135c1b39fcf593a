/* footprint: malloc_trim, and madvise on the mapped files. Any thread.
 *
 * Starting reads far more of the libraries than serving does: the loader looks up each symbol of some forty of them
 * (libcurl brings most), and their constructors and OpenSSL's configuration run once. Measured with two workers: 11 MB
 * of file pages after the start, of which serving brings back 3 to 4.
 *
 * It does NOT touch a segment that may be written: dropping one of its private pages would undo relocations. */
#include "base/footprint.h"

#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 }; /* they patch code as it runs */
#else
enum { SANITIZED = 0 };
#endif

enum { GROWN_PAGES = 512 };

static atomic_long least_pages; /* resident and no file's, since the last shrink or trim */

/* statm says: size resident shared …, in pages (proc(5)). 0 when the system does not tell. */
static long pages(long *shared) {
  char text[128] = "", *at = text;
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  *shared = 0;
  if (fd < 0) return 0;
  ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  if (got <= 0) return 0;
  strtol(at, &at, 10);
  long resident = strtol(at, &at, 10);
  *shared = strtol(at, &at, 10);
  return resident;
}

static long own_pages(void) {
  long shared, resident = pages(&shared);
  return resident - shared;
}

uint64_t footprint_resident_bytes(void) {
  long shared;
  return (uint64_t)pages(&shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool footprint_has_grown(void) {
  if (SANITIZED) return false;
  long now = own_pages(), least = atomic_load(&least_pages);
  if (now < least) atomic_store(&least_pages, now);
  return now > least + GROWN_PAGES;
}

void footprint_trim(void) {
  if (SANITIZED) return;
  malloc_trim(0);
  atomic_store(&least_pages, own_pages());
}

/* Relocations inside of code: its pages differ from the file's. */
static bool code_was_changed(const struct dl_phdr_info *object) {
  for (unsigned i = 0; i < object->dlpi_phnum; i++) {
    if (object->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const ElfW(Dyn) *entry = (const void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; entry++)
      if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL))) return true;
  }
  return false;
}

static int drop_pages(struct dl_phdr_info *object, size_t bytes, void *page_mask) {
  (void)bytes;
  uintptr_t mask = *(const uintptr_t *)page_mask, vdso = getauxval(AT_SYSINFO_EHDR);
  if (code_was_changed(object)) return 0;
  for (unsigned i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) continue;
    uintptr_t from = (object->dlpi_addr + segment->p_vaddr) & ~mask,
              to = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz + mask) & ~mask;
    /* No file is behind the kernel's own object. Refused elsewhere (locked pages), they just stay. */
    if (from != (vdso & ~mask)) (void)madvise((void *)from, to - from, MADV_DONTNEED);
  }
  return 0;
}

void footprint_shrink(void) {
  if (SANITIZED) return;
  footprint_trim();
  uintptr_t page_mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
  dl_iterate_phdr(drop_pages, &page_mask);
}
