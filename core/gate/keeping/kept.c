/* kept: see the header. Hashing and copying of texts is done before the lock is taken. */
/* OpenSSL's own functions cost a third of its EVP door, which allocates (see gate/key.c). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "gate/keeping/kept.h"

#include <openssl/sha.h>
#include <pthread.h>

#include "base/list.h"
#include "base/memory.h"
#include "base/must.h"
#include "base/random.h"

enum {
  SLOTS = 1 << 16,  /* of each table; a power of two */
  EXPIRE_BATCH = 64 /* answers dropped under one taking of the lock */
};

struct kept_item {
  struct link of_texts;     /* in no list: a copy that nobody finds yet */
  struct link of_ids;       /* in no list: no id, or such a copy */
  struct kept_answer *last; /* of those that list it: used last. NULL: that one was forgotten */
  struct kept_tenant tenant;
  unsigned char key[KEPT_DIGEST_BYTES]; /* of its id */
  bool has_key;
  uint32_t holders; /* places in lists, of answers and of callers */
  uint32_t listed;  /* of these: in answers */
  uint64_t hash;    /* of the text */
  size_t len;
  char text[];
};

struct kept_answer {
  struct link of_keys, of_uses;
  unsigned char key[KEPT_DIGEST_BYTES];
  uint64_t used_ns;
  uint32_t listed; /* of the items: what a request that goes on from it is given */
  uint32_t own;    /* the last of these */
  uint32_t frame;  /* behind these */
  struct kept_item *items[];
};

struct kept {
  pthread_mutex_t lock;
  uint64_t limit_bytes, time_ns, seed;
  struct kept_figures figures;
  struct link uses; /* answers, the one that was not used for longest first */
  struct link keys[SLOTS], ids[SLOTS], texts[SLOTS];
};

static void lock(struct kept *k) {
  must(pthread_mutex_lock(&k->lock) == 0);
}

static void unlock(struct kept *k) {
  must(pthread_mutex_unlock(&k->lock) == 0);
}

/* ---- keys and tables ---------------------------------------------------------------------------------------- */

static void key_of(const struct kept_tenant *who, struct slice id, unsigned char out[KEPT_DIGEST_BYTES]) {
  SHA256_CTX hash;
  must(SHA256_Init(&hash) == 1);
  must(SHA256_Update(&hash, who->digest, sizeof who->digest) == 1);
  must(SHA256_Update(&hash, id.ptr, id.len) == 1);
  must(SHA256_Final(out, &hash) == 1);
}

static struct link *slot_of_hash(struct link *table, uint64_t hash) {
  struct link *head = &table[hash & (SLOTS - 1)];
  if (head->next == NULL) list_init(head);
  return head;
}

static struct link *slot_of_key(struct link *table, const unsigned char key[KEPT_DIGEST_BYTES]) {
  uint64_t hash;
  memcpy(&hash, key, sizeof hash);
  return slot_of_hash(table, hash);
}

/* ---- items -------------------------------------------------------------------------------------------------- */

static uint64_t item_bytes(size_t len) {
  return sizeof(struct kept_item) + len + BUF_SLACK;
}

static struct kept_item *copy(const struct kept_tenant *who, const struct kept_text *t, uint64_t hash) {
  struct kept_item *item = mem_alloc(item_bytes(t->text.len));
  memset(item, 0, sizeof *item);
  item->tenant = *who;
  item->has_key = t->id.len > 0;
  if (item->has_key) key_of(who, t->id, item->key);
  item->holders = 1;
  item->hash = hash;
  item->len = t->text.len;
  memcpy(item->text, t->text.ptr, t->text.len);
  memset(item->text + t->text.len, 0, BUF_SLACK);
  return item;
}

static struct kept_item *find_text(struct kept *k, const struct kept_tenant *who, struct slice text, uint64_t hash) {
  struct link *head = slot_of_hash(k->texts, hash);
  for (struct link *at = head->next; at != head; at = at->next) {
    struct kept_item *item = list_item(at, struct kept_item, of_texts);
    if (item->hash == hash && slice_eq(slice_of(item->text, item->len), text) &&
        memcmp(&item->tenant, who, sizeof *who) == 0)
      return item;
  }
  return NULL;
}

static void show(struct kept *k, struct kept_item *item) {
  if (item->has_key && item->of_ids.next == NULL) list_add_first(slot_of_key(k->ids, item->key), &item->of_ids);
}

static bool is_found(const struct kept_item *item) {
  return item->of_texts.next != NULL;
}

static void let_go(struct kept *k, struct kept_item *item) {
  if (--item->holders > 0) return;
  if (is_found(item)) {
    list_remove(&item->of_texts);
    list_remove(&item->of_ids);
    k->figures.items--;
    k->figures.bytes -= item_bytes(item->len);
  }
  mem_free(item);
}

/* The copy joins the others, or gives way to its twin that has come meanwhile. Returns which of both is held. */
static struct kept_item *adopt(struct kept *k, struct kept_item *item) {
  if (is_found(item)) return item;
  struct kept_item *twin = find_text(k, &item->tenant, slice_of(item->text, item->len), item->hash);
  if (twin == NULL) {
    list_add_first(slot_of_hash(k->texts, item->hash), &item->of_texts);
    k->figures.items++;
    k->figures.bytes += item_bytes(item->len);
    show(k, item);
    return item;
  }
  twin->holders++;
  if (item->has_key && !twin->has_key) {
    twin->has_key = true;
    memcpy(twin->key, item->key, sizeof twin->key);
    show(k, twin);
  }
  let_go(k, item);
  return twin;
}

struct slice kept_item_text(const struct kept_item *item) {
  return slice_of(item->text, item->len);
}

static void append(struct kept_list *list, struct kept_item *const *items, uint32_t count) {
  list->items = mem_resize(list->items, (list->count + count + 1) * sizeof *items);
  for (uint32_t i = 0; i < count; i++) {
    items[i]->holders++;
    list->items[list->count++] = items[i];
  }
}

void kept_hold(struct kept *k, const struct kept_tenant *who, const struct kept_text *texts, size_t count,
               struct kept_list *out) {
  uint64_t *hashes = mem_alloc((count + 1) * sizeof *hashes);
  /* Equal texts are found by hash and compared then. Seeded: nobody can choose texts that meet in one slot. */
  for (size_t i = 0; i < count; i++) hashes[i] = slice_hash(texts[i].text, k->seed);
  out->items = mem_resize(out->items, (out->count + count + 1) * sizeof *out->items);
  struct kept_item **found = out->items + out->count;
  lock(k);
  for (size_t i = 0; i < count; i++) {
    found[i] = texts[i].id.len > 0 ? NULL : find_text(k, who, texts[i].text, hashes[i]);
    if (found[i] != NULL) found[i]->holders++;
  }
  unlock(k);
  for (size_t i = 0; i < count; i++)
    if (found[i] == NULL) found[i] = copy(who, &texts[i], hashes[i]);
  out->count += (uint32_t)count;
  mem_free(hashes);
}

void kept_release(struct kept *k, struct kept_list *list) {
  if (list->count > 0) {
    lock(k);
    for (uint32_t i = 0; i < list->count; i++) let_go(k, list->items[i]);
    unlock(k);
  }
  mem_free(list->items);
  *list = (struct kept_list){0};
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static uint64_t answer_bytes(uint32_t count) {
  return sizeof(struct kept_answer) + count * sizeof(struct kept_item *);
}

static uint32_t count_of(const struct kept_answer *a) {
  return a->listed + a->frame;
}

static struct kept_answer *oldest(const struct kept *k) {
  return list_item(k->uses.next, struct kept_answer, of_uses);
}

static void drop(struct kept *k, struct kept_answer *a) {
  list_remove(&a->of_keys);
  list_remove(&a->of_uses);
  for (uint32_t i = 0; i < count_of(a); i++) {
    struct kept_item *item = a->items[i];
    if (item->last == a) item->last = NULL;
    item->listed--;
    let_go(k, item);
  }
  k->figures.answers--;
  k->figures.bytes -= answer_bytes(count_of(a));
  mem_free(a);
}

static bool is_over(const struct kept *k, const struct kept_answer *a, uint64_t now_ns) {
  return now_ns > a->used_ns && now_ns - a->used_ns >= k->time_ns;
}

/* Its items are as young as itself from now on: an item is dropped, and over, with the last of its answers. */
static void use(struct kept *k, struct kept_answer *a, uint64_t now_ns) {
  if (a->used_ns == now_ns) return; /* one request may name many items of one answer */
  a->used_ns = now_ns;
  for (uint32_t i = 0; i < count_of(a); i++) a->items[i]->last = a;
  list_remove(&a->of_uses);
  list_add_last(&k->uses, &a->of_uses);
}

/* NULL also when it is there, but was not used in time: then it is dropped. */
static struct kept_answer *find(struct kept *k, const unsigned char key[KEPT_DIGEST_BYTES], uint64_t now_ns) {
  struct link *head = slot_of_key(k->keys, key);
  for (struct link *at = head->next; at != head; at = at->next) {
    struct kept_answer *a = list_item(at, struct kept_answer, of_keys);
    if (memcmp(a->key, key, sizeof a->key) != 0) continue;
    if (!is_over(k, a, now_ns)) return a;
    drop(k, a);
    return NULL;
  }
  return NULL;
}

/* Returns how many. */
static uint64_t drop_over(struct kept *k, uint64_t now_ns, uint64_t most) {
  uint64_t count = 0;
  for (; count < most && !list_empty(&k->uses) && is_over(k, oldest(k), now_ns); count++) drop(k, oldest(k));
  return count;
}

static void make_room(struct kept *k) {
  while (k->figures.bytes > k->limit_bytes && !list_empty(&k->uses)) {
    drop(k, oldest(k));
    k->figures.evicted++;
  }
}

/* Held before the lock is taken: all of it, as if nothing were shared. */
static uint64_t bytes_alone(const struct kept_list *list) {
  uint64_t bytes = answer_bytes(list->count);
  for (uint32_t i = 0; i < list->count; i++) bytes += item_bytes(list->items[i]->len);
  return bytes;
}

bool kept_put(struct kept *k, const struct kept_tenant *who, struct slice id, struct kept_list *list,
              struct kept_texts own, struct kept_texts frame, uint64_t now_ns) {
  unsigned char key[KEPT_DIGEST_BYTES];
  key_of(who, id, key);
  kept_hold(k, who, own.texts, own.count, list);
  uint32_t listed = list->count;
  kept_hold(k, who, frame.texts, frame.count, list);
  uint64_t alone = bytes_alone(list);
  struct kept_answer *a = mem_alloc(answer_bytes(list->count));
  *a = (struct kept_answer){
      .used_ns = now_ns, .listed = listed, .own = (uint32_t)own.count, .frame = (uint32_t)frame.count};
  memcpy(a->key, key, sizeof a->key);
  lock(k);
  bool fits = alone <= k->limit_bytes;
  if (fits) {
    struct kept_answer *before = find(k, key, now_ns);
    if (before != NULL) drop(k, before);
    for (uint32_t i = 0; i < count_of(a); i++) {
      a->items[i] = adopt(k, list->items[i]);
      a->items[i]->last = a;
      a->items[i]->listed++;
    }
    list->count = 0; /* what was held is the answer's now */
    list_add_first(slot_of_key(k->keys, key), &a->of_keys);
    list_add_last(&k->uses, &a->of_uses);
    k->figures.answers++;
    k->figures.bytes += answer_bytes(count_of(a));
    make_room(k);
  }
  unlock(k);
  if (!fits) mem_free(a);
  kept_release(k, list);
  return fits;
}

bool kept_get(struct kept *k, const struct kept_tenant *who, struct slice id, uint64_t now_ns, struct kept_list *out) {
  unsigned char key[KEPT_DIGEST_BYTES];
  key_of(who, id, key);
  lock(k);
  struct kept_answer *a = find(k, key, now_ns);
  if (a != NULL) {
    use(k, a, now_ns);
    append(out, a->items, a->listed);
  }
  unlock(k);
  return a != NULL;
}

bool kept_get_framed(struct kept *k, const struct kept_tenant *who, struct slice id, uint64_t now_ns,
                     struct kept_list *frame, struct kept_list *own) {
  unsigned char key[KEPT_DIGEST_BYTES];
  key_of(who, id, key);
  lock(k);
  struct kept_answer *a = find(k, key, now_ns);
  bool is_framed = a != NULL && a->frame > 0;
  if (is_framed) {
    use(k, a, now_ns);
    append(frame, a->items + a->listed, a->frame);
    append(own, a->items + a->listed - a->own, a->own);
  }
  unlock(k);
  return is_framed;
}

static struct kept_item *find_item(struct kept *k, const unsigned char key[KEPT_DIGEST_BYTES]) {
  struct link *head = slot_of_key(k->ids, key);
  for (struct link *at = head->next; at != head; at = at->next) {
    struct kept_item *item = list_item(at, struct kept_item, of_ids);
    if (memcmp(item->key, key, sizeof item->key) == 0) return item;
  }
  return NULL;
}

bool kept_get_item(struct kept *k, const struct kept_tenant *who, struct slice id, uint64_t now_ns,
                   struct kept_list *out) {
  unsigned char key[KEPT_DIGEST_BYTES];
  key_of(who, id, key);
  lock(k);
  struct kept_item *item = find_item(k, key);
  if (item != NULL && item->last == NULL) { /* who else lists it, and since when, only those answers know */
    drop_over(k, now_ns, UINT64_MAX);
    item = find_item(k, key);
  }
  bool is_there = item != NULL && item->listed > 0 && (item->last == NULL || !is_over(k, item->last, now_ns));
  if (is_there) {
    if (item->last != NULL) use(k, item->last, now_ns);
    append(out, &item, 1);
  }
  unlock(k);
  return is_there;
}

bool kept_forget(struct kept *k, const struct kept_tenant *who, struct slice id, uint64_t now_ns) {
  unsigned char key[KEPT_DIGEST_BYTES];
  key_of(who, id, key);
  lock(k);
  struct kept_answer *a = find(k, key, now_ns);
  if (a != NULL) drop(k, a);
  unlock(k);
  return a != NULL;
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

struct kept *kept_new(void) {
  struct kept *k = mem_new(struct kept);
  must(pthread_mutex_init(&k->lock, NULL) == 0);
  k->seed = random_u64();
  list_init(&k->uses);
  return k;
}

void kept_free(struct kept *k) {
  while (!list_empty(&k->uses)) drop(k, oldest(k));
  must(k->figures.bytes == 0 && k->figures.items == 0);
  must(pthread_mutex_destroy(&k->lock) == 0);
  mem_free(k);
}

void kept_limit(struct kept *k, uint64_t bytes, uint64_t time_ns) {
  lock(k);
  k->limit_bytes = bytes;
  k->time_ns = time_ns;
  make_room(k);
  unlock(k);
}

bool kept_expire(struct kept *k, uint64_t now_ns) {
  bool is_left, goes_on;
  do {
    lock(k);
    goes_on = drop_over(k, now_ns, EXPIRE_BATCH) == EXPIRE_BATCH;
    is_left = !list_empty(&k->uses);
    unlock(k);
  } while (goes_on);
  return is_left;
}

void kept_read_figures(struct kept *k, struct kept_figures *out) {
  lock(k);
  *out = k->figures;
  unlock(k);
}
