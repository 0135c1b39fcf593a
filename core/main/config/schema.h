/* schema: every key of the config file, in one table: path, type, default, meaning, example. Checks a tree against it
 * (unknown keys with a did-you-mean, wrong types with what was expected) and writes docs/reference/config.md. Meaning
 * that spans keys (a target's provider exists) is main/config_file's. Any thread. */
#ifndef MOONGATE_MAIN_SCHEMA_H
#define MOONGATE_MAIN_SCHEMA_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/value.h"

/* Checks the whole tree; e: "moongate.lua:12: unknown key "polcy" in routes.cost; did you mean "policy"?" */
bool schema_check(const struct value *tree, const char *file, struct err *e);

/* Readers for a checked tree; each falls back on the table's default. path: the schema's ("limits.body"); in: the table
 * that holds the last part of the path, or NULL. */
const char *schema_text(const struct value *in, const char *path);
uint64_t schema_ms(const struct value *in, const char *path);
uint64_t schema_bytes(const struct value *in, const char *path);
uint64_t schema_integer(const struct value *in, const char *path);
uint32_t schema_share_ppm(const struct value *in, const char *path); /* parts per million */
bool schema_boolean(const struct value *in, const char *path);

/* "300ms", "5s", "2m", "1h" */
bool schema_parse_ms(struct slice text, uint64_t *out);
/* "32MiB", "64KiB", "1GiB", "512B" */
bool schema_parse_bytes(struct slice text, uint64_t *out);

void schema_reference(struct buf *out);

#endif
