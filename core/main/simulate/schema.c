/* simulate_schema: walks a schema by its required members only. Pure; any thread. */
#include "main/simulate/schema.h"

#include <strings.h>

#include "main/simulate/json.h"
#include "wire/json.h"

enum { DEPTH_MAX = 12, ITEMS_MAX = 16 };

static void put_value(struct buf *out, struct slice schema, struct slice root, unsigned depth);

/* "#/$defs/NAME" and the like: one member name after the other. */
static struct slice resolve(struct slice reference, struct slice root) {
  if (reference.len < 4 || !slice_starts(reference, SLICE("\"#/"))) return (struct slice){0};
  struct slice path = slice_of(reference.ptr + 3, reference.len - 4), at = root;
  while (path.len > 0 && at.ptr != NULL) {
    ptrdiff_t slash = slice_find_byte(path, '/');
    struct slice wanted = slice_of(path.ptr, slash < 0 ? path.len : (size_t)slash);
    path = slash < 0 ? slice_of(NULL, 0) : slice_from(path, (size_t)slash + 1);
    struct slice rest = at, key, value;
    at = (struct slice){0};
    while (sim_json_member(&rest, &key, &value))
      if (slice_eq(key, wanted)) at = value;
  }
  return at;
}

static struct slice first_of(struct slice array) {
  struct slice value;
  return sim_json_element(&array, &value) ? value : (struct slice){0};
}

static void put_object(struct buf *out, struct slice schema, struct slice root, unsigned depth) {
  struct slice properties = sim_json_get(schema, "properties"), required = sim_json_get(schema, "required"), name;
  bool first = true;
  buf_byte(out, '{');
  while (sim_json_element(&required, &name)) {
    if (*name.ptr != '"') continue;
    if (!first) buf_byte(out, ',');
    first = false;
    buf_slice(out, name);
    buf_byte(out, ':');
    struct slice rest = properties, key, value, found = {0};
    while (sim_json_member(&rest, &key, &value))
      if (slice_eq(key, slice_of(name.ptr + 1, name.len - 2))) found = value;
    put_value(out, found, root, depth + 1);
  }
  buf_byte(out, '}');
}

static void put_array(struct buf *out, struct slice schema, struct slice root, unsigned depth) {
  uint64_t count = 0;
  if (!json_to_u64(sim_json_get(schema, "minItems"), &count)) count = 0;
  if (count > ITEMS_MAX) count = ITEMS_MAX;
  buf_byte(out, '[');
  for (uint64_t i = 0; i < count; i++) {
    if (i > 0) buf_byte(out, ',');
    put_value(out, sim_json_get(schema, "items"), root, depth + 1);
  }
  buf_byte(out, ']');
}

static void put_string(struct buf *out, struct slice schema) {
  static const char word[] = "simulated";
  uint64_t least = 0;
  if (!json_to_u64(sim_json_get(schema, "minLength"), &least) || least > 4096) least = 0;
  buf_byte(out, '"');
  buf_text(out, word);
  for (uint64_t len = sizeof word - 1; len < least; len++) buf_byte(out, '.');
  buf_byte(out, '"');
}

static void put_number(struct buf *out, struct slice schema) {
  struct slice least = sim_json_get(schema, "minimum");
  if (least.ptr != NULL) buf_slice(out, least);
  else buf_byte(out, '1');
}

/* In lower case, or in upper case as Gemini's schemas have it. */
static bool is_type(struct slice raw, const char *name) {
  return raw.len == strlen(name) + 2 && *raw.ptr == '"' && strncasecmp(raw.ptr + 1, name, raw.len - 2) == 0;
}

static void put_value(struct buf *out, struct slice schema, struct slice root, unsigned depth) {
  if (schema.len == 0 || *schema.ptr != '{' || depth > DEPTH_MAX) {
    buf_text(out, schema.len > 0 && *schema.ptr == '{' ? "null" : "{}");
    return;
  }
  static const char *const given[] = {"const", "default"}, *const lists[] = {"anyOf", "oneOf", "allOf"};
  struct slice value;
  for (size_t i = 0; i < sizeof given / sizeof *given; i++)
    if ((value = sim_json_get(schema, given[i])).ptr != NULL) {
      buf_slice(out, value);
      return;
    }
  if ((value = first_of(sim_json_get(schema, "enum"))).ptr != NULL) {
    buf_slice(out, value);
    return;
  }
  if ((value = sim_json_get(schema, "$ref")).ptr != NULL) {
    put_value(out, resolve(value, root), root, depth + 1);
    return;
  }
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    if ((value = first_of(sim_json_get(schema, lists[i]))).ptr != NULL) {
      put_value(out, value, root, depth + 1);
      return;
    }
  struct slice type = sim_json_get(schema, "type");
  if (type.len > 0 && *type.ptr == '[') type = first_of(type);
  if (is_type(type, "string")) put_string(out, schema);
  else if (is_type(type, "integer") || is_type(type, "number")) put_number(out, schema);
  else if (is_type(type, "boolean")) buf_text(out, "true");
  else if (is_type(type, "array")) put_array(out, schema, root, depth);
  else if (is_type(type, "null")) buf_text(out, "null");
  else put_object(out, schema, root, depth);
}

void sim_schema_put(struct buf *out, struct slice schema) {
  put_value(out, schema, schema, 0);
}
