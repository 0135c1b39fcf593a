/* transfer: calls over HTTP/2, by libcurl's own transfers; the same events as an HTTP/1.1 call. One worker's
 * thread.
 *
 * libcurl keeps the connections, one pool for each upstream, and sends a request again when a reused one turns out
 * dead before an answer. It does NOT call its user from within libcurl: what libcurl delivers waits, bounded, for
 * the loop's next pass. */
#ifndef MOONGATE_IO_TRANSFER_H
#define MOONGATE_IO_TRANSFER_H

#include "io/upcall.h"

struct upstream;
struct transfers; /* of one upstream */
struct transfer;  /* one call */

/* What a call hears of its transfer, never within transfer_start. Each may cancel it. */
struct transfer_user {
  void (*head)(void *owner, const struct http_head *head);
  void (*body)(void *owner, struct slice bytes); /* BUF_SLACK readable bytes behind it */
  void (*end)(void *owner);
  void (*fail)(void *owner, enum upcall_phase phase, enum upcall_why why, const char *text);
};

/* origin: "https://api.openai.com:443". The strings of config are copied. */
struct transfers *transfers_new(struct loop *l, const char *origin, const struct upstream_config *config);
void transfers_free(struct transfers *all); /* none may be running */

/* The request's body parts must stay as upcall_request says; the rest is copied. Fills all of *times but started_ns and
 * ended_ns; it must live as long as the transfer. */
struct transfer *transfer_start(struct transfers *all, const struct upcall_request *request,
                                const struct transfer_user *user, void *owner, struct upcall_times *times);
/* Closes the connection at once if the answer is not complete, and frees; once for each transfer, after end and
 * fail too. */
void transfer_cancel(struct transfer *t);
void transfer_pause(struct transfer *t, bool on);
enum upcall_phase transfer_phase(struct transfer *t, uint64_t *since_ns); /* as upcall_phase */

#endif
