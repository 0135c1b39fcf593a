/* suggest: "did you mean", for config keys, options, script fields, model names. Any thread. */
#ifndef MOONGATE_BASE_SUGGEST_H
#define MOONGATE_BASE_SUGGEST_H

#include <stddef.h>

/* The candidate nearest to `word` by edit distance (a swap of neighbours counts once), or NULL when none is near
 * enough to be a slip. Candidates are zero-terminated and are not copied. */
const char *suggest_nearest(const char *word, const char *const *candidates, size_t count);

#endif
