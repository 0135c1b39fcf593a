/* list: an intrusive doubly linked list with a sentinel. One thread per list. */
#ifndef MOONGATE_BASE_LIST_H
#define MOONGATE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
  struct link *prev, *next; /* both NULL while in no list */
};

static inline void list_init(struct link *head) {
  head->prev = head->next = head;
}

static inline bool list_empty(const struct link *head) {
  return head->next == head;
}

static inline void list_add_last(struct link *head, struct link *item) {
  item->prev = head->prev;
  item->next = head;
  head->prev->next = item;
  head->prev = item;
}

static inline void list_add_first(struct link *head, struct link *item) {
  list_add_last(head->next, item);
}

/* A link that is in no list is left alone. */
static inline void list_remove(struct link *item) {
  if (item->next == NULL) return;
  item->prev->next = item->next;
  item->next->prev = item->prev;
  item->prev = item->next = NULL;
}

/* The struct of `type` whose member `member` is `link`. */
#define list_item(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

#endif
