/* google_token: see the header. */
#include "gate/signer/google_token.h"

#include <pthread.h>
#include <stdio.h>

#include "base/list.h"
#include "base/memory.h"
#include "base/secret.h"
#include "gate/signer/hmac.h"

static const uint64_t second_ns = 1000000000ull;
enum {
  AHEAD_S = 300, /* a new one is fetched so long before the end */
  MARGIN_S = 10, /* a call that begins now must not arrive after the end */
  AGAIN_S = 5,   /* after an exchange that failed */
  RENEW_AGAIN_S = 30
};

struct google_token {
  struct link link;
  unsigned char digest[HMAC_BYTES]; /* of the key file */
  unsigned holders;
  struct secret *line;             /* "authorization: Bearer …\r\n"; NULL: none */
  uint64_t ends_ns, next_fetch_ns; /* next_fetch_ns: not before */
  bool is_claimed;
  char why[GOOGLE_TOKEN_WHY_BYTES]; /* of the last exchange, when it failed */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct link tokens = {&tokens, &tokens};

struct google_token *google_token_hold(struct slice key_file) {
  unsigned char digest[HMAC_BYTES];
  sha256_of(&(struct iovec){(void *)(uintptr_t)key_file.ptr, key_file.len}, 1, digest);
  pthread_mutex_lock(&lock);
  struct google_token *found = NULL;
  for (struct link *at = tokens.next; at != &tokens && found == NULL; at = at->next) {
    struct google_token *t = list_item(at, struct google_token, link);
    if (memcmp(t->digest, digest, sizeof digest) == 0) found = t;
  }
  if (found == NULL) {
    found = mem_new(struct google_token);
    memcpy(found->digest, digest, sizeof digest);
    list_add_last(&tokens, &found->link);
  }
  found->holders++;
  pthread_mutex_unlock(&lock);
  return found;
}

void google_token_release(struct google_token *t) {
  pthread_mutex_lock(&lock);
  bool is_last = --t->holders == 0;
  if (is_last) list_remove(&t->link);
  pthread_mutex_unlock(&lock);
  if (!is_last) return;
  secret_free(t->line);
  mem_free(t);
}

enum google_token_state google_token_line(struct google_token *t, uint64_t now_ns, struct buf *line, bool *claimed,
                                          char why[GOOGLE_TOKEN_WHY_BYTES]) {
  enum google_token_state state = GOOGLE_TOKEN_NONE;
  pthread_mutex_lock(&lock);
  if (t->line != NULL && now_ns + MARGIN_S * second_ns < t->ends_ns) {
    state = GOOGLE_TOKEN_READY;
    buf_slice(line, secret_view(t->line));
  } else if (!t->is_claimed && t->why[0] && now_ns < t->next_fetch_ns) {
    state = GOOGLE_TOKEN_FAILED;
    snprintf(why, GOOGLE_TOKEN_WHY_BYTES, "%s", t->why);
  }
  bool wanted = state == GOOGLE_TOKEN_NONE || (state == GOOGLE_TOKEN_READY &&
                                               now_ns + AHEAD_S * second_ns > t->ends_ns && now_ns >= t->next_fetch_ns);
  *claimed = wanted && !t->is_claimed;
  t->is_claimed = t->is_claimed || wanted;
  pthread_mutex_unlock(&lock);
  return state;
}

void google_token_put(struct google_token *t, struct slice token, uint32_t expires_s, uint64_t now_ns) {
  struct secret *line = secret_join(SLICE("authorization: Bearer "), token, SLICE("\r\n"));
  pthread_mutex_lock(&lock);
  struct secret *old = t->line;
  t->line = line;
  t->ends_ns = now_ns + expires_s * second_ns;
  /* A token that ends within the margin is renewed at half its life, not at once and again. */
  uint64_t half_ns = expires_s * second_ns / 2;
  t->next_fetch_ns = now_ns + (half_ns < AHEAD_S * second_ns ? half_ns : 0);
  t->why[0] = '\0';
  t->is_claimed = false;
  pthread_mutex_unlock(&lock);
  secret_free(old);
}

void google_token_fail(struct google_token *t, const char *why, uint64_t now_ns) {
  pthread_mutex_lock(&lock);
  bool has_one = t->line != NULL && now_ns + MARGIN_S * second_ns < t->ends_ns;
  t->next_fetch_ns = now_ns + (has_one ? RENEW_AGAIN_S : AGAIN_S) * second_ns;
  snprintf(t->why, sizeof t->why, "%s", why);
  t->is_claimed = false;
  pthread_mutex_unlock(&lock);
}

void google_token_unclaim(struct google_token *t) {
  pthread_mutex_lock(&lock);
  t->is_claimed = false;
  pthread_mutex_unlock(&lock);
}
