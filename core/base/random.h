/* random: identifiers that nobody can guess, and jitter. Any thread; each keeps a pool of bytes from the system. */
#ifndef MOONGATE_BASE_RANDOM_H
#define MOONGATE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t bytes);
uint64_t random_u64(void);
/* `count` characters of [0-9a-z], about 5.17 bits each. */
void random_text(char *out, size_t count);

#endif
