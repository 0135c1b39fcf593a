/* sources: the text files that one generation was built from, each read once and kept: so that a generation can be
 * built again as it was (reload --back), and so that "nothing has changed" can be told. Counted; built by one thread at
 * a time. */
#ifndef MOONGATE_IO_SOURCES_H
#define MOONGATE_IO_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum { SOURCE_BYTES_MAX = 4 << 20 };

struct sources;

struct sources *sources_new(void);
struct sources *sources_ref(struct sources *s);
void sources_unref(struct sources *s); /* NULL is fine */
/* The file's text, from memory when it was read before. Valid as long as s. May wait for the disk. */
bool sources_read(struct sources *s, const char *path, struct slice *out, struct err *e);
/* A digest of all paths and texts read so far, in the order of their paths. */
uint64_t sources_hash(const struct sources *s);
/* The same digest over what the files hold now; an unreadable one counts as empty. For --dev. */
uint64_t sources_hash_on_disk(const struct sources *s);
/* The i-th path, NULL past the last. */
const char *sources_path(const struct sources *s, unsigned index);

#endif
