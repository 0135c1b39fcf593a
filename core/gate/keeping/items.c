/* items: see the header. */
#include "gate/keeping/items.h"

#include "wire/json.h"
#include "wire/json_cursor.h"

static void add(struct arena *arena, struct items *list, struct slice id, struct slice text) {
  if (list->count == list->cap) {
    size_t cap = list->cap > 0 ? 2 * list->cap : 16;
    struct kept_text *texts = arena_alloc(arena, cap * sizeof *texts);
    if (list->count > 0) memcpy(texts, list->texts, list->count * sizeof *texts);
    list->texts = texts;
    list->cap = cap;
  }
  list->texts[list->count++] = (struct kept_text){id, text};
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

struct items items_of_input(struct arena *arena, struct slice raw) {
  struct items list = {0};
  if (raw.len == 0) return list;
  if (*raw.ptr == '"') {
    struct slice parts[] = {SLICE("{\"type\":\"message\",\"role\":\"user\",\"content\":"), raw, SLICE("}")};
    add(arena, &list, SLICE(""), arena_join(arena, parts, 3));
  } else if (*raw.ptr == '[') {
    struct json_cursor c = json_cursor_of(raw);
    while (json_next_element(&c)) add(arena, &list, SLICE(""), json_take(&c));
  }
  return list;
}

bool items_is_reference(struct slice item, struct slice *id) {
  enum { LONGEST_BYTES = 1 << 10 };
  struct json_field f[] = {{.key = SLICE_INIT("type")}, {.key = SLICE_INIT("id")}};
  struct slice type;
  if (item.len > LONGEST_BYTES || !json_pick(item, f, 2)) return false;
  return json_plain(f[0].raw, &type) && slice_eq(type, SLICE("item_reference")) && json_plain(f[1].raw, id);
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

bool items_of_answer(struct arena *arena, struct slice answer, struct slice *id, struct items *out) {
  struct json_field f[] = {{.key = SLICE_INIT("id")}, {.key = SLICE_INIT("output")}};
  *out = (struct items){0};
  if (!json_pick(answer, f, 2) || !json_plain(f[0].raw, id) || f[1].raw.ptr == NULL || f[1].kind != JSON_ARRAY)
    return false;
  struct json_cursor c = json_cursor_of(f[1].raw);
  while (json_next_element(&c)) {
    struct slice text = json_take(&c), name;
    struct json_field own = {.key = SLICE_INIT("id")};
    bool is_named = json_pick(text, &own, 1) && json_plain(own.raw, &name);
    add(arena, out, is_named ? name : SLICE(""), text);
  }
  return true;
}

static struct slice joined(struct arena *arena, const struct items *fields) {
  size_t len = 0;
  for (size_t i = 0; i < fields->count; i++) len += fields->texts[i].text.len + 1;
  char *out = arena_alloc(arena, len), *at = out;
  for (size_t i = 0; i < fields->count; i++) {
    if (i > 0) *at++ = ',';
    at = mempcpy(at, fields->texts[i].text.ptr, fields->texts[i].text.len);
  }
  return slice_of(out, (size_t)(at - out));
}

struct items items_of_frame(struct arena *arena, struct slice answer) {
  enum { LONG_BYTES = 512 };
  struct items list = {0}, brief = {0};
  struct json_cursor c = json_cursor_of(answer);
  struct slice key;
  add(arena, &list, SLICE(""), SLICE(""));
  while (json_next_key(&c, &key)) {
    struct slice value = json_take(&c);
    if (slice_eq(key, SLICE("output"))) continue;
    struct slice field = slice_of(key.ptr - 1, (size_t)(value.ptr + value.len - (key.ptr - 1)));
    add(arena, field.len > LONG_BYTES ? &list : &brief, SLICE(""), field);
  }
  if (!json_ended(&c) || brief.count == 0) return (struct items){0};
  list.texts[0].text = joined(arena, &brief);
  return list;
}

bool items_ended(struct slice bytes, struct slice *answer) {
  static const struct slice ends[] = {SLICE_INIT("event: response.completed\n"),
                                      SLICE_INIT("event: response.incomplete\n")};
  static const char *const path[] = {"response", NULL};
  static const struct slice before = SLICE_INIT("data: ");
  while (bytes.len > 0 && bytes.ptr[bytes.len - 1] == '\n') bytes.len--;
  const char *name_end = bytes.len > 0 ? memrchr(bytes.ptr, '\n', bytes.len) : NULL;
  if (name_end == NULL) return false;
  struct slice head = slice_of(bytes.ptr, (size_t)(name_end + 1 - bytes.ptr)), event = slice_from(bytes, head.len);
  bool ends_well = slice_ends(head, ends[0]) || slice_ends(head, ends[1]);
  if (!ends_well || !slice_starts(event, before)) return false;
  *answer = json_find(slice_from(event, before.len), path);
  return answer->ptr != NULL;
}
