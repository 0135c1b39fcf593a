/* kept: answers that a client may refer to in later requests instead of sending them again, and what they answered, as
 * lists of JSON texts: the process's memory of them, bounded in bytes and in time. Any thread; one lock, held for
 * look-ups, comparisons and frees. No call waits for anything else.
 *
 *   answer "resp_1" ─▶ [ item, item, item ]          an item lives while an answer or a reader holds it; of a tenant's
 *                        │     │     │               items with the same text there is one, so that a conversation
 *   answer "resp_2" ─▶ [ item, item, item, item ]    whose every answer lists all of it costs its length, once
 *
 * Beside its list an answer has its frame: texts around the items that are its own, for those who ask for all of it.
 *
 * Everything is kept under a digest of its tenant and its id: no other tenant can name it. Dropped is what was not used
 * for longest, when there is no room, and what was not used for the time that is set. What counts is every byte that
 * the store has asked the heap for, but for its tables, which are of one size. Texts never leave it but by the calls
 * here.
 *
 * It does NOT know requests (gate/keeping/keeping.h) nor JSON (gate/keeping/items.h), and reads no clock: now_ns is
 * monotonic. */
#ifndef MOONGATE_GATE_KEPT_H
#define MOONGATE_GATE_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { KEPT_DIGEST_BYTES = 32 };

/* Who may name what is kept: a digest that no two tenants share. */
struct kept_tenant {
  unsigned char digest[KEPT_DIGEST_BYTES];
};

/* What is to be kept: an item of a list. */
struct kept_text {
  struct slice id; /* by which it may be named alone; empty: it may not */
  struct slice text;
};

struct kept_texts {
  const struct kept_text *texts;
  size_t count;
};

struct kept_item;

/* A list of items that the caller holds, on the heap, until kept_release. `{0}` is empty. */
struct kept_list {
  struct kept_item **items;
  uint32_t count;
};

struct kept_figures {
  uint64_t bytes, answers, items;
  uint64_t evicted; /* answers dropped for want of room, ever */
};

struct kept;

struct kept *kept_new(void); /* keeps nothing until it has a limit */
void kept_free(struct kept *k);
/* Drops what is beyond it. bytes 0: keeps nothing. */
void kept_limit(struct kept *k, uint64_t bytes, uint64_t time_ns);
/* Drops what was not used in time. true: something is left. */
bool kept_expire(struct kept *k, uint64_t now_ns);
void kept_read_figures(struct kept *k, struct kept_figures *out);

/* Texts of the tenant's as held items, found or copied; nobody finds a copy before it is part of an answer. */
void kept_hold(struct kept *k, const struct kept_tenant *who, const struct kept_text *texts, size_t count,
               struct kept_list *out);
void kept_release(struct kept *k, struct kept_list *list);
struct slice kept_item_text(const struct kept_item *item); /* as long as it is held; BUF_SLACK bytes behind it */

/* Keeps the answer: those in `list`, which is released, and its own, in this order; and its frame. One of the same id
 * gives way. false: it is larger than all that may be kept. */
bool kept_put(struct kept *k, const struct kept_tenant *who, struct slice id, struct kept_list *list,
              struct kept_texts own, struct kept_texts frame, uint64_t now_ns);
/* Appends to *out what the answer lists. false: the tenant has none of that id. */
bool kept_get(struct kept *k, const struct kept_tenant *who, struct slice id, uint64_t now_ns, struct kept_list *out);
/* Appends the answer's frame and its own items. false also when it has no frame. */
bool kept_get_framed(struct kept *k, const struct kept_tenant *who, struct slice id, uint64_t now_ns,
                     struct kept_list *frame, struct kept_list *own);
/* Appends the one item to *out. */
bool kept_get_item(struct kept *k, const struct kept_tenant *who, struct slice id, uint64_t now_ns,
                   struct kept_list *out);
bool kept_forget(struct kept *k, const struct kept_tenant *who, struct slice id, uint64_t now_ns);

#endif
