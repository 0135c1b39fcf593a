/* config_dump: see the header. The loader's thread, or the main one of `moongate check`. */
#include "main/config/config_dump.h"

#include "main/config/config_health.h"

static void put_quoted(struct buf *out, struct slice text) {
  buf_byte(out, '"');
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c == '"' || c == '\\') buf_byte(out, '\\'), buf_byte(out, (char)c);
    else if (c < 0x20) buf_fill(out, "\\%u", c);
    else buf_byte(out, (char)c);
  }
  buf_byte(out, '"');
}

static void put_value(struct buf *out, const struct value *v, unsigned depth, bool secret);

static bool is_position(struct slice key) {
  uint64_t ignored;
  return slice_to_u64(key, &ignored);
}

static bool is_name(struct slice key) {
  if (key.len == 0 || (key.ptr[0] >= '0' && key.ptr[0] <= '9')) return false;
  for (size_t i = 0; i < key.len; i++) {
    char c = key.ptr[i];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  return true;
}

static void put_table(struct buf *out, const struct value *v, unsigned depth) {
  for (uint32_t i = 0; i < v->count; i++) {
    const struct value_field *f = &v->fields[i];
    buf_fill(out, "%*s", (int)depth * 2, "");
    if (is_name(f->key)) {
      buf_slice(out, f->key);
    } else {
      buf_byte(out, '[');
      if (is_position(f->key)) buf_slice(out, f->key);
      else put_quoted(out, f->key);
      buf_byte(out, ']');
    }
    buf_text(out, " = ");
    bool secret = slice_eq(f->key, SLICE("key")) || slice_eq(f->key, SLICE("token")) || slice_eq(f->key, SLICE("keys"));
    put_value(out, &f->value, depth, secret);
    buf_text(out, ",\n");
  }
}

/* secret: a string here is one, written as text in the file; it is masked. */
static void put_value(struct buf *out, const struct value *v, unsigned depth, bool secret) {
  switch (v->kind) {
  case VALUE_NIL: buf_text(out, "nil"); break;
  case VALUE_BOOL: buf_text(out, v->boolean ? "true" : "false"); break;
  case VALUE_INTEGER: buf_i64(out, v->integer); break;
  case VALUE_NUMBER: buf_fill(out, "%.17g", v->number); break;
  case VALUE_TEXT:
    if (secret) buf_text(out, "\"********\"");
    else put_quoted(out, v->text);
    break;
  case VALUE_SECRET: {
    ptrdiff_t blank = slice_find_byte(v->text, ' ');
    buf_append(out, v->text.ptr, (size_t)blank + 1);
    put_quoted(out, slice_from(v->text, (size_t)blank + 1));
    break;
  }
  case VALUE_LIST:
    buf_text(out, "{ ");
    for (uint32_t i = 0; i < v->count; i++) {
      put_value(out, &v->items[i], depth + 1, secret);
      buf_text(out, i + 1 < v->count ? ", " : " ");
    }
    buf_byte(out, '}');
    break;
  case VALUE_TABLE: /* a list of keys holds tables whose other fields are no secrets */
    buf_text(out, "{\n");
    put_table(out, v, depth + 1);
    buf_fill(out, "%*s}", (int)depth * 2, "");
    break;
  }
}

void config_dump(const struct config *c, struct buf *out) {
  buf_text(out, "return ");
  put_value(out, c->tree, 0, false);
  buf_text(out, "\n");
  buf_text(out, "-- in effect, defaults included:\n");
  buf_fill(out, "--   listen %s, admin %s, workers %u (0: one a core), trace %s, drain %u ms\n", c->listen,
           c->admin_listen, c->workers, c->trace_file, c->drain_ms);
  buf_fill(out,
           "--   limits: body %llu bytes, head %u bytes, head %u ms, body %u ms, keep-alive %u ms, write idle %u ms, "
           "connections %u, half close %s\n",
           (unsigned long long)c->body_bytes, c->head_bytes, c->head_ms, c->body_ms, c->keep_alive_ms, c->write_idle_ms,
           c->connections, c->half_close_leaves ? "leaves" : "waits");
  for (uint32_t i = 0; i < c->provider_count; i++) {
    const struct provider *p = c->providers[i];
    buf_fill(out, "--   provider %s: adapter %s, %s, %s, %u key%s (%s), timeouts", p->name, p->adapter->name,
             p->dialect->name, p->base_url, p->key_count, p->key_count == 1 ? "" : "s",
             p->keys[0].label ? p->keys[0].label : "none");
    for (enum clock_id id = 0; id < CLOCK_COUNT; id++) {
      uint32_t value = timeout_value(&p->timeouts, id);
      if (value != TIMEOUT_UNSAID)
        buf_fill(out, " %s %u%s", timeout_name(id), value, id == CLOCK_TOKEN_RATE ? "" : " ms");
    }
    buf_text(out, "\n");
    config_health_dump(p, out);
  }
  for (uint32_t i = 0; i < c->route_count; i++) {
    const struct route *r = c->routes[i];
    buf_fill(out, "--   route %s: policy %s,", r->name, r->policy);
    for (uint32_t k = 0; k < r->target_count; k++)
      buf_fill(out, " %s%s", r->targets[k]->name.ptr,
               r->targets[k]->price && !r->targets[k]->price->estimate ? "" : " (unpriced)");
    buf_text(out, "\n");
  }
}
