/* signer_google: the signer "google-oauth": Bearer tokens of a service account, whose key file is the provider's key.
 * The worker that needs a token first fetches it, on its own loop; calls of that worker wait for the exchange, those of
 * other workers look again every few milliseconds. The worker's thread. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "gate/config.h"
#include "gate/signer/google_account.h"
#include "gate/signer/google_token.h"
#include "gate/signer/signer.h"
#include "io/upcall.h"
#include "wire/url.h"

enum { EXCHANGE_MS = 10000, LOOK_AGAIN_MS = 10, ANSWER_BYTES_MAX = 64 << 10 };

/* Of one key on one worker. */
struct account_state {
  struct google_account account;
  struct google_token *token;
  struct loop *loop;
  const struct provider *provider;
  struct upstream *endpoint; /* while an exchange runs: once an hour is no reason to keep a connection */
  struct upcall *call;       /* the exchange; NULL: this worker runs none */
  struct timer timer;        /* the exchange's limit, or when to look again */
  struct link waits;
  struct buf body, answer;
  struct iovec parts[1];
  uint16_t status;
  struct slice target; /* path of the token endpoint; points into account */
};

/* Everybody who waits signs again; who has to wait on links itself anew. */
static void wake(struct account_state *s) {
  struct link woken;
  list_init(&woken);
  while (!list_empty(&s->waits)) {
    struct link *first = s->waits.next;
    list_remove(first);
    list_add_last(&woken, first);
  }
  while (!list_empty(&woken)) {
    struct signer_wait *w = list_item(woken.next, struct signer_wait, link);
    list_remove(&w->link);
    w->over(w);
  }
}

static void forget(struct buf *b) {
  if (b->len > 0) secret_wipe(b->ptr, b->len);
  buf_done(b);
}

static void exchange_over(struct account_state *s, const char *why) {
  timer_clear(&s->timer);
  s->call = NULL;
  upstream_retire(s->endpoint);
  s->endpoint = NULL;
  struct google_grant grant;
  if (why == NULL && google_grant_read(buf_view(&s->answer), &grant)) {
    google_token_put(s->token, grant.token, grant.expires_s, clock_ns());
  } else {
    char text[GOOGLE_TOKEN_WHY_BYTES];
    snprintf(text, sizeof text, "The exchange for an access token failed: %.110s",
             why != NULL ? why : "the answer holds no token");
    log_warn("google", "%s", text);
    google_token_fail(s->token, text, clock_ns());
  }
  forget(&s->body);
  forget(&s->answer);
  wake(s);
}

static void answer_head(void *owner, const struct http_head *head) {
  struct account_state *s = owner;
  s->status = head->status;
}

static void answer_body(void *owner, struct slice bytes) {
  struct account_state *s = owner;
  if (s->answer.len + bytes.len <= ANSWER_BYTES_MAX) buf_slice(&s->answer, bytes);
}

static void answer_end(void *owner) {
  struct account_state *s = owner;
  char said[120], why[140];
  if (s->status == 200) {
    exchange_over(s, NULL);
    return;
  }
  google_grant_error(buf_view(&s->answer), said, sizeof said);
  snprintf(why, sizeof why, "status %u%s%.100s", s->status, said[0] ? " " : "", said);
  exchange_over(s, why);
}

static void answer_fail(void *owner, const struct upcall_fault *fault) {
  exchange_over(owner, fault->text);
}

static void timer_fired(void *owner) {
  struct account_state *s = owner;
  if (s->call == NULL) {
    wake(s);
    return;
  }
  upcall_cancel(s->call);
  exchange_over(s, "no answer within 10 s");
}

static void start_exchange(struct account_state *s) {
  static const struct upcall_events events = {answer_head, answer_body, answer_end, answer_fail};
  struct err e = {""};
  struct upstream_config config = upstream_config_default;
  config.base_url = s->account.token_uri;
  config.ca_file = s->provider->ca_file;
  config.proxy = s->provider->proxy;
  config.connections_idle = 0;
  s->status = 0;
  if (google_account_put_request(&s->account, clock_wall_ms(), &s->body, &e))
    s->endpoint = upstream_new(s->loop, &config, &e);
  if (s->endpoint == NULL) {
    forget(&s->body);
    google_token_fail(s->token, e.text, clock_ns());
    return;
  }
  s->parts[0] = (struct iovec){s->body.ptr, s->body.len};
  struct upcall_request request = {
      .method = SLICE("POST"),
      .target = s->target.len > 0 ? s->target : SLICE("/"),
      .headers = SLICE("content-type: application/x-www-form-urlencoded\r\naccept: application/json\r\n"
                       "accept-encoding: identity\r\nuser-agent: moongate/" MOONGATE_VERSION "\r\n"),
      .body = s->parts,
      .body_parts = 1,
  };
  s->call = upcall_start(s->endpoint, &request, &events, s);
  timer_set_ms(&s->timer, EXCHANGE_MS);
}

static struct account_state *open_account(const struct signing *call, char why[SIGNER_WHY_BYTES]) {
  const struct provider *p = call->provider;
  struct slice key_file = secret_view(p->keys[call->key_index].bare);
  struct google_account account;
  struct err e = {""};
  if (!google_account_read(key_file, &account, &e)) {
    snprintf(why, SIGNER_WHY_BYTES, "The provider's key is no service account: %.100s", e.text);
    return NULL;
  }
  struct account_state *s = mem_new(struct account_state);
  struct url url;
  s->account = account;
  s->provider = p;
  if (url_parse(slice_text(account.token_uri), &url, &e)) s->target = url.path;
  s->loop = call->loop;
  s->token = google_token_hold(key_file);
  list_init(&s->waits);
  timer_init(&s->timer, call->loop, timer_fired, s);
  return s;
}

static enum signer_verdict sign(const struct signing *call, struct signer_wait *w, struct buf *lines,
                                char why[SIGNER_WHY_BYTES]) {
  struct account_state *s = *call->state;
  bool claimed = false;
  if (s == NULL) *call->state = s = open_account(call, why);
  if (s == NULL) return SIGNER_FAILED;
  enum google_token_state state = google_token_line(s->token, clock_ns(), lines, &claimed, why);
  if (claimed) start_exchange(s);
  if (state == GOOGLE_TOKEN_READY) return SIGNER_DONE;
  if (state == GOOGLE_TOKEN_FAILED) return SIGNER_FAILED;
  list_add_last(&s->waits, &w->link);
  if (s->call == NULL) timer_set_ms(&s->timer, LOOK_AGAIN_MS);
  return SIGNER_WAITING;
}

static void close_account(void *state) {
  struct account_state *s = state;
  timer_clear(&s->timer);
  if (s->call != NULL) {
    upcall_cancel(s->call);
    upstream_retire(s->endpoint);
    google_token_unclaim(s->token);
  }
  google_token_release(s->token);
  google_account_done(&s->account);
  forget(&s->body);
  forget(&s->answer);
  mem_free(s);
}

const struct signer signer_google = {"google-oauth", sign, close_account};
