/* keeping: see the header. */
/* OpenSSL's own functions cost a third of its EVP door, which allocates (see gate/key.c). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "gate/keeping/keeping.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/must.h"
#include "gate/keeping/items.h"
#include "gate/reply.h"
#include "gate/request.h"

enum { LOOKS_A_LIFE = 4, LOOK_MS_MIN = 100 }; /* what is over is gone a quarter of its time later */

static struct kept *store;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_store(void) {
  store = kept_new();
}

void keeping_adopt(const struct config *c) {
  must(pthread_once(&once, make_store) == 0);
  kept_limit(store, c->kept_bytes, (uint64_t)c->kept_ms * 1000000);
}

void keeping_read_figures(struct kept_figures *out) {
  must(pthread_once(&once, make_store) == 0);
  kept_read_figures(store, out);
}

/* ---- whose -------------------------------------------------------------------------------------------------- */

static struct kept_tenant tenant_of(const struct request *r) {
  const struct key *key = r->key;
  const struct team *team = key != NULL ? key->team : NULL;
  struct slice kind = key == NULL ? SLICE("all ") : team != NULL ? SLICE("team ") : SLICE("key "), who = SLICE("");
  if (team != NULL) who = slice_text(team->name);
  else if (key != NULL) who = slice_of((const char *)key->digest, sizeof key->digest);
  struct kept_tenant tenant;
  SHA256_CTX hash;
  must(SHA256_Init(&hash) == 1);
  must(SHA256_Update(&hash, kind.ptr, kind.len) == 1);
  must(SHA256_Update(&hash, who.ptr, who.len) == 1);
  must(SHA256_Final(tenant.digest, &hash) == 1);
  return tenant;
}

/* ---- requests that name what is kept ------------------------------------------------------------------------ */

/* What the request names, found. */
struct named {
  struct kept_list list;
  uint32_t previous; /* of the list's items: those of the answer before */
  struct items input;
  uint64_t bytes, most_bytes; /* of the request with all that was found; and what it may have */
};

static bool may_refer(struct slice input) {
  static const struct slice word = SLICE_INIT("\"item_reference\"");
  return input.len > 0 && *input.ptr == '[' && memmem(input.ptr, input.len, word.ptr, word.len) != NULL;
}

static void find_previous(struct request *r, const struct kept_tenant *who, uint64_t now_ns, struct named *n) {
  struct slice id;
  if (!json_plain(r->asked.previous_raw, &id)) return;
  if (!kept_get(store, who, id, now_ns, &n->list)) return;
  n->previous = n->list.count;
  for (uint32_t i = 0; i < n->previous; i++) n->bytes += kept_item_text(n->list.items[i]).len + 1;
  r->keeping->previous = arena_copy(&r->arena, id);
}

/* Puts what is kept into the places of the references to it. Many may name one: it stops where they are too much. */
static void find_items(const struct kept_tenant *who, uint64_t now_ns, struct named *n) {
  for (size_t i = 0; i < n->input.count && n->bytes <= n->most_bytes; i++) {
    struct slice id;
    if (!items_is_reference(n->input.texts[i].text, &id)) continue;
    if (!kept_get_item(store, who, id, now_ns, &n->list)) continue;
    n->input.texts[i].text = kept_item_text(n->list.items[n->list.count - 1]);
    n->bytes += n->input.texts[i].text.len;
  }
}

static void put_input(struct buf *out, const struct named *n) {
  buf_byte(out, '[');
  for (uint32_t i = 0; i < n->previous; i++) {
    if (i > 0) buf_byte(out, ',');
    buf_slice(out, kept_item_text(n->list.items[i]));
  }
  for (size_t i = 0; i < n->input.count; i++) {
    if (i + n->previous > 0) buf_byte(out, ',');
    buf_slice(out, n->input.texts[i].text);
  }
  buf_byte(out, ']');
}

/* The body with other values in these places; ptr NULL: there is no such place. */
static void put_body(struct buf *out, struct slice body, struct slice input, struct slice previous,
                     const struct named *n) {
  bool input_first = input.ptr != NULL && (previous.ptr == NULL || input.ptr < previous.ptr);
  const struct slice places[] = {input_first ? input : previous, input_first ? previous : input};
  const char *from = body.ptr;
  for (unsigned i = 0; i < 2; i++) {
    if (places[i].ptr == NULL) continue;
    buf_append(out, from, (size_t)(places[i].ptr - from));
    from = places[i].ptr + places[i].len;
    if (places[i].ptr == input.ptr) {
      put_input(out, n);
      continue;
    }
    buf_slice(out, SLICE("null"));
    if (input.ptr != NULL) continue;
    buf_slice(out, SLICE(",\"input\":"));
    put_input(out, n);
  }
  buf_append(out, from, (size_t)(body.ptr + body.len - from));
}

static bool fits(const struct request *r, const struct named *n, struct fault *f) {
  if (n->bytes <= n->most_bytes) return true;
  fault_set(
      f, FAULT_BODY_TOO_LARGE,
      "With what it refers to, the request has more than the %llu bytes of limits.body. Begin a new conversation.",
      (unsigned long long)n->most_bytes);
  snprintf(f->param, sizeof f->param, "%s", r->keeping->previous.len > 0 ? "previous_response_id" : "input");
  return false;
}

static bool complete(struct request *r, bool *changed, struct fault *f) {
  struct keeping *k = r->keeping;
  struct slice input = r->asked.input_raw;
  struct named n = {.input = items_of_input(&r->arena, input),
                    .bytes = r->body.len,
                    .most_bytes = r->tenure->generation->config->body_bytes};
  struct kept_tenant who = tenant_of(r);
  uint64_t now_ns = clock_ns();
  find_previous(r, &who, now_ns, &n);
  find_items(&who, now_ns, &n);
  bool is_fit = fits(r, &n, f);
  *changed = n.list.count > 0 || k->previous.len > 0;
  if (is_fit && *changed) {
    struct slice previous = k->previous.len > 0 ? r->asked.previous_raw : slice_of(NULL, 0);
    put_body(&k->body, r->body, input, previous, &n);
    buf_reserve(&k->body, 0);
    struct buf sent = exchange_take_body(r->delivery.exchange);
    buf_done(&sent);
    r->body = buf_view(&k->body);
    r->body_bytes = r->body.len;
  }
  kept_release(store, &n.list);
  return is_fit;
}

bool keeping_begin(struct request *r, bool *changed, struct fault *f) {
  r->keeping = arena_new(&r->arena, struct keeping);
  r->keeping->keeps = !r->asked.not_stored;
  *changed = false;
  bool refers = r->asked.previous_raw.ptr != NULL || may_refer(r->asked.input_raw);
  return !refers || complete(r, changed, f);
}

/* ---- requests for an answer --------------------------------------------------------------------------------- */

static bool forget(struct request *r, const struct kept_tenant *who) {
  if (!kept_forget(store, who, r->path_rest, clock_ns())) return false;
  struct buf *body = &r->gate->body;
  body->len = 0;
  buf_text(body, "{\"id\":");
  json_put_string(body, r->path_rest);
  buf_text(body, ",\"object\":\"response\",\"deleted\":true}");
  reply_json(r, 200, buf_view(body));
  return true;
}

static void put_texts(struct buf *out, const struct kept_list *list) {
  for (uint32_t i = 0; i < list->count; i++) {
    if (i > 0) buf_byte(out, ',');
    buf_slice(out, kept_item_text(list->items[i]));
  }
}

/* Its fields stand as the client saw them, but for `output`, which is the last. */
static bool show(struct request *r, const struct kept_tenant *who, struct fault *f) {
  struct kept_list frame = {0}, own = {0};
  if (!kept_get_framed(store, who, r->path_rest, clock_ns(), &frame, &own)) return false;
  bool as_stream = slice_eq(http_query_of(r->head->query, SLICE("stream")), SLICE("true"));
  if (as_stream) {
    fault_set(f, FAULT_FIELD_INVALID, "An answer that this gateway keeps can be had only whole, not as a stream.");
    snprintf(f->param, sizeof f->param, "stream");
  } else {
    struct buf *body = &r->gate->body;
    body->len = 0;
    buf_byte(body, '{');
    put_texts(body, &frame);
    buf_slice(body, SLICE(",\"output\":["));
    put_texts(body, &own);
    buf_slice(body, SLICE("]}"));
    reply_json(r, 200, buf_view(body));
  }
  kept_release(store, &frame);
  kept_release(store, &own);
  return !as_stream;
}

bool keeping_look_up(struct request *r, struct fault *f) {
  f->code = FAULT_COUNT;
  bool gets = slice_eq(r->method, SLICE("GET"));
  if (!gets && !slice_eq(r->method, SLICE("DELETE"))) return false;
  struct kept_tenant who = tenant_of(r);
  return gets ? show(r, &who, f) : forget(r, &who);
}

/* ---- answers that are kept ---------------------------------------------------------------------------------- */

void keeping_take_input(struct request *r, const struct attempt *a) {
  struct keeping *k = r->keeping;
  if (!k->keeps || k->has_input || (!a->crosses && !a->recovers)) return;
  bool is_there = r->body.ptr != NULL || k->body.ptr != NULL || r->disconnect.body.ptr != NULL;
  if (!is_there) {
    k->keeps = false; /* its client has left, and nobody gets the answer */
    return;
  }
  struct kept_tenant who = tenant_of(r);
  struct items input = items_of_input(&r->arena, r->asked.input_raw);
  kept_hold(store, &who, input.texts, input.count, &k->list);
  k->has_input = true;
}

static void look(void *owner) {
  struct gate *g = owner;
  if (!kept_expire(store, clock_ns()) || g->tenure == NULL) return;
  uint32_t ms = g->tenure->generation->config->kept_ms / LOOKS_A_LIFE;
  timer_set_ms(&g->look_at_kept, ms > LOOK_MS_MIN ? ms : LOOK_MS_MIN);
}

void keeping_timer_init(struct gate *g) {
  timer_init(&g->look_at_kept, g->loop, look, g);
}

/* is_ours: no provider keeps it under this id. One that does goes on from it by itself, and knows more of it than the
 * client has seen; only the items' ids are the gateway's. */
static void keep(struct request *r, struct slice answer, bool is_ours) {
  struct keeping *k = r->keeping;
  struct kept_tenant who = tenant_of(r);
  struct slice id;
  struct items output;
  if (!items_of_answer(&r->arena, answer, &id, &output)) return;
  if (!is_ours) id = arena_join(&r->arena, (struct slice[]){SLICE("items of "), id}, 2);
  struct items frame = is_ours ? items_of_frame(&r->arena, answer) : (struct items){0};
  kept_put(store, &who, id, &k->list, (struct kept_texts){output.texts, output.count},
           (struct kept_texts){frame.texts, frame.count}, clock_ns());
  if (r->gate->look_at_kept.due_ns == 0) look(r->gate);
}

void keeping_whole(struct request *r, struct slice answer) {
  struct buf padded = {0};
  if (!r->keeping->keeps || !r->keeping->has_input) return;
  buf_slice(&padded, answer);
  buf_reserve(&padded, 0);
  keep(r, buf_view(&padded), true);
  buf_done(&padded);
}

void keeping_stream_end(struct request *r, const struct attempt *a, struct slice bytes) {
  struct slice answer;
  if (!r->keeping->keeps || !r->keeping->has_input || !items_ended(bytes, &answer)) return;
  keep(r, answer, a->crosses || a->resumes);
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

void keeping_drop_body(struct request *r) {
  buf_done(&r->keeping->body);
  r->asked.input_raw = r->asked.previous_raw = slice_of(NULL, 0);
}

void keeping_end(struct request *r) {
  kept_release(store, &r->keeping->list);
  buf_done(&r->keeping->body);
}
