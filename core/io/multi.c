/* multi: libcurl's socket and timer callbacks on libevent. One worker's thread. */
#include "io/multi.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/memory.h"
#include "base/must.h"

/* One socket that libcurl watches; freed when libcurl gives it up. */
struct multi_socket {
  struct event event;
  struct multi *multi;
  short watched; /* EV_READ, EV_WRITE or both */
};

static void collect(struct multi *m) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(m->curl, &left)) != NULL)
    if (message->msg == CURLMSG_DONE) m->finished(m->owner, message->easy_handle, message->data.result);
}

static void act(struct multi *m, curl_socket_t fd, int ready) {
  int running;
  must(curl_multi_socket_action(m->curl, fd, ready, &running) == CURLM_OK);
  collect(m);
}

static void on_event(evutil_socket_t fd, short what, void *owner) {
  struct multi_socket *s = owner;
  act(s->multi, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *known) {
  (void)easy;
  struct multi *m = owner;
  struct multi_socket *s = known;
  if (what == CURL_POLL_REMOVE) {
    if (s != NULL) event_del(&s->event);
    mem_free(s);
    curl_multi_assign(m->curl, fd, NULL);
    return 0;
  }
  short wanted = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
  if (s == NULL) {
    s = mem_new(struct multi_socket);
    s->multi = m;
    curl_multi_assign(m->curl, fd, s);
  } else if (s->watched == wanted) {
    return 0;
  } else {
    event_del(&s->event);
  }
  s->watched = wanted;
  event_assign(&s->event, loop_base(m->loop), fd, (short)(wanted | EV_PERSIST), on_event, s);
  event_add(&s->event, NULL);
  return 0;
}

static void on_time(void *owner) {
  act(owner, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *curl, long from_now_ms, void *owner) {
  (void)curl;
  struct multi *m = owner;
  timer_clear(&m->timer);
  loop_later_cancel(&m->kick);
  if (from_now_ms > 0) timer_set_ms(&m->timer, (uint64_t)from_now_ms);
  if (from_now_ms == 0) loop_later(m->loop, &m->kick);
  return 0;
}

void multi_init(struct multi *m, struct loop *l, void (*finished)(void *owner, CURL *easy, CURLcode result),
                void *owner) {
  *m = (struct multi){.loop = l, .finished = finished, .owner = owner};
  m->kick = (struct later){.call = on_time, .owner = m};
  timer_init(&m->timer, l, on_time, m);
  m->curl = curl_multi_init();
  must(m->curl != NULL);
  curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
  curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
}

void multi_done(struct multi *m) {
  curl_multi_cleanup(m->curl);
  timer_clear(&m->timer);
  loop_later_cancel(&m->kick);
}

void multi_add(struct multi *m, CURL *easy) {
  must(curl_multi_add_handle(m->curl, easy) == CURLM_OK);
}

void multi_remove(struct multi *m, CURL *easy) {
  must(curl_multi_remove_handle(m->curl, easy) == CURLM_OK);
}

void multi_kick(struct multi *m) {
  loop_later(m->loop, &m->kick);
}
