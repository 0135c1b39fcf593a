/* list: order, removal, and links that are in no list. */
#include "base/list.h"

#include "check.h"

struct thing {
  char name;
  struct link link;
};

static void check_order(const struct link *head, const char *expected) {
  char forwards[8], backwards[8];
  size_t count = 0;
  for (struct link *at = head->next; at != head; at = at->next)
    forwards[count++] = list_item(at, struct thing, link)->name;
  CHECK_SLICE(slice_of(forwards, count), expected);
  size_t back = count;
  for (struct link *at = head->prev; at != head; at = at->prev)
    backwards[--back] = list_item(at, struct thing, link)->name;
  CHECK_SLICE(slice_of(backwards, count), expected);
}

TEST(adding_and_removing) {
  struct link head;
  struct thing a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
  list_init(&head);
  CHECK(list_empty(&head));
  list_add_last(&head, &a.link);
  list_add_last(&head, &b.link);
  list_add_first(&head, &c.link);
  check_order(&head, "cab");
  CHECK(!list_empty(&head));
  list_remove(&a.link);
  check_order(&head, "cb");
  CHECK(a.link.next == NULL && a.link.prev == NULL);
  list_remove(&a.link);
  check_order(&head, "cb");
  list_add_last(&head, &a.link);
  check_order(&head, "cba");
  list_remove(&c.link);
  list_remove(&b.link);
  list_remove(&a.link);
  CHECK(list_empty(&head));
}

UNIT_MAIN()
