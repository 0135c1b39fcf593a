/* google_token: the access token of one service account, shared by all workers of the process: one of them fetches it,
 * ahead of its end, and all of them use it. Any thread; a lock that is held for a few copies, once a call to Google.
 *
 *   NONE ──claim──▶ fetching ──put──▶ READY ──5 minutes before its end: claim──▶ READY, fetching ──put──▶ READY
 *    ▲                 │ fail                                                          │ fail: READY till its end
 *    └───── after 5 s ─┴▶ FAILED
 *
 * It does no I/O: see gate/signer/signer_google.c. */
#ifndef MOONGATE_GATE_GOOGLE_TOKEN_H
#define MOONGATE_GATE_GOOGLE_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct google_token;

enum { GOOGLE_TOKEN_WHY_BYTES = 160 };

/* The token of the account with this key file; one for all who ask with the same. Each holder releases it once. */
struct google_token *google_token_hold(struct slice key_file);
void google_token_release(struct google_token *t);

enum google_token_state {
  GOOGLE_TOKEN_READY,
  GOOGLE_TOKEN_NONE,  /* being fetched, or to be fetched */
  GOOGLE_TOKEN_FAILED /* the last exchange failed a moment ago; why tells */
};

/* READY appends the header line "authorization: Bearer …". *claimed: the caller must fetch a new one now, and put or
 * fail it; nobody else will. now_ns: monotonic. */
enum google_token_state google_token_line(struct google_token *t, uint64_t now_ns, struct buf *line, bool *claimed,
                                          char why[GOOGLE_TOKEN_WHY_BYTES]);
void google_token_put(struct google_token *t, struct slice token, uint32_t expires_s, uint64_t now_ns);
void google_token_fail(struct google_token *t, const char *why, uint64_t now_ns);
/* The caller gives its claim back without a result. */
void google_token_unclaim(struct google_token *t);

#endif
