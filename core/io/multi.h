/* multi: libcurl's multi interface driven by a worker's loop: its sockets become events, its timer a timer. One
 * worker's thread. The owner adds configured easy handles and is told of each one that finished; it removes and
 * frees them itself.
 *
 * It does NOT know what the handles are for: dial.h opens connections with it, transfer.h runs HTTP/2. */
#ifndef MOONGATE_IO_MULTI_H
#define MOONGATE_IO_MULTI_H

#include <curl/curl.h>

#include "io/loop.h"

struct multi {
  CURLM *curl;
  struct loop *loop;
  struct timer timer; /* libcurl's own */
  struct later kick;  /* libcurl asked to be called at once */
  /* Called outside of libcurl's callbacks, so it may remove and free the handle. */
  void (*finished)(void *owner, CURL *easy, CURLcode result);
  void *owner;
};

void multi_init(struct multi *m, struct loop *l, void (*finished)(void *owner, CURL *easy, CURLcode result),
                void *owner);
void multi_done(struct multi *m);               /* every handle must be removed before */
void multi_add(struct multi *m, CURL *easy);    /* work begins in a later callback, never within this call */
void multi_remove(struct multi *m, CURL *easy); /* not from within libcurl's callbacks */
/* Lets libcurl look at its handles soon: after curl_easy_pause. */
void multi_kick(struct multi *m);

#endif
