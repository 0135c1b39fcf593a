/* health_check: see the header for its states. The first worker's thread. */
#include "gate/health/health_check.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/secret.h"
#include "gate/gate.h"
#include "gate/health/key_state.h"
#include "gate/health/provider_state.h"
#include "gate/signer/signer.h"

struct check {
  struct health_checks *all;
  const struct provider *provider;
  struct timer timer; /* RESTING: for the next one; ASKING: its deadline */
  bool asking;
  uint32_t key_index, failed_in_row;
  unsigned status;
  struct signer_wait wait;
  struct upcall *call;
};

struct health_checks {
  struct gate *gate;
  struct tenure *tenure;
  uint32_t count;
  struct check checks[];
};

/* Some minutes after a common start, all gateways of a fleet would otherwise ask at one moment. */
static uint64_t next_ms(const struct health_rules *rules) {
  uint64_t tenth = rules->check_every_ms / 10;
  return rules->check_every_ms - tenth / 2 + (tenth > 0 ? random_u64() % tenth : 0);
}

static void judge(struct check *c, bool passed) {
  const struct provider *p = c->provider;
  atomic_fetch_add_explicit(&p->state->checks[passed], 1, memory_order_relaxed);
  c->failed_in_row = passed ? 0 : c->failed_in_row + 1;
  bool was_down = atomic_load(&p->state->down),
       down = !passed && (was_down || c->failed_in_row >= p->health.check_eject_after);
  atomic_store(&p->state->down, down);
  if (down && !was_down)
    log_warn("health", "%s is left out: %u active checks in a row have failed", p->name, c->failed_in_row);
  if (!down && was_down) log_info("health", "%s is back: an active check has passed", p->name);
}

static void rest(struct check *c) {
  list_remove(&c->wait.link);
  c->call = NULL;
  c->asking = false;
  timer_set_ms(&c->timer, next_ms(&c->provider->health));
}

static void over(struct check *c, bool passed) {
  rest(c);
  judge(c, passed);
}

static void answer_head(void *owner, const struct http_head *head) {
  ((struct check *)owner)->status = head->status;
}

static void answer_body(void *owner, struct slice bytes) {
  (void)owner;
  (void)bytes;
}

static void answer_end(void *owner) {
  struct check *c = owner;
  over(c, c->status < 500);
}

static void answer_fail(void *owner, const struct upcall_fault *fault) {
  if (fault->why == UPCALL_NO_DESCRIPTOR) rest(owner); /* it was not asked */
  else over(owner, false);
}

/* One that works, as far as is known. */
static uint32_t choose_key(const struct provider *p) {
  for (uint32_t i = 0; i < p->key_count; i++)
    if (p->keys[i].state == NULL || breaker_look(&p->keys[i].state->breaker, clock_ns()) == BREAKER_CLOSED) return i;
  return 0;
}

static void sign_and_call(struct check *c);

static void wait_over(struct signer_wait *w) {
  sign_and_call(list_item(w, struct check, wait));
}

static void sign_and_call(struct check *c) {
  static const struct upcall_events events = {answer_head, answer_body, answer_end, answer_fail};
  const struct provider *p = c->provider;
  struct tenure *t = c->all->tenure;
  size_t at = p->index * PROVIDER_KEYS_MAX + c->key_index;
  struct buf path = {0}, headers = {0}, lines = {0};
  char why[SIGNER_WHY_BYTES] = "";
  enum signer_verdict verdict = SIGNER_DONE;
  c->wait.over = wait_over;
  buf_fill(&path, "%s%s", p->base_path, p->health.check_path);
  buf_text(&headers, "accept-encoding: identity\r\nuser-agent: moongate/" MOONGATE_VERSION "\r\naccept: */*\r\n");
  if (p->adapter->headers != NULL) buf_text(&headers, p->adapter->headers);
  if (p->adapter->signer != NULL) {
    struct signing signing = {.provider = p,
                              .key_index = c->key_index,
                              .loop = c->all->gate->loop,
                              .state = &t->signer_states[at],
                              .method = SLICE("GET"),
                              .target = buf_view(&path),
                              .headers = buf_view(&headers)};
    verdict = p->adapter->signer->sign(&signing, &c->wait, &lines, why);
  }
  if (verdict == SIGNER_DONE) {
    struct upcall_request request = {
        .method = SLICE("GET"),
        .target = buf_view(&path),
        .headers = buf_view(&headers),
        .secret_line = p->adapter->signer != NULL ? buf_view(&lines) : secret_view(p->keys[c->key_index].line)};
    c->call = upcall_start(t->pools[at], &request, &events, c);
  }
  if (lines.len > 0) secret_wipe(lines.ptr, lines.len);
  buf_done(&lines);
  buf_done(&headers);
  buf_done(&path);
  if (verdict == SIGNER_FAILED) over(c, false);
}

static void timer_fired(void *owner) {
  struct check *c = owner;
  if (c->asking) {
    if (c->call != NULL) upcall_cancel(c->call);
    over(c, false);
    return;
  }
  c->asking = true;
  c->status = 0;
  c->key_index = choose_key(c->provider);
  timer_set_ms(&c->timer, c->provider->health.check_timeout_ms);
  sign_and_call(c);
}

struct health_checks *health_checks_start(struct gate *g, struct tenure *t) {
  const struct config *config = t->generation->config;
  uint32_t count = 0;
  for (uint32_t i = 0; i < config->provider_count; i++) {
    const struct provider *p = config->providers[i];
    if (p->health.check_every_ms > 0) count++;
    else if (p->state != NULL) atomic_store(&p->state->down, false);
  }
  if (count == 0) return NULL;
  struct health_checks *all = mem_zero(sizeof *all + count * sizeof all->checks[0]);
  *all = (struct health_checks){.gate = g, .tenure = t};
  for (uint32_t i = 0; i < config->provider_count; i++) {
    if (config->providers[i]->health.check_every_ms == 0) continue;
    struct check *c = &all->checks[all->count++];
    c->all = all;
    c->provider = config->providers[i];
    timer_init(&c->timer, g->loop, timer_fired, c);
    timer_set_ms(&c->timer, 1);
  }
  return all;
}

void health_checks_stop(struct health_checks *all) {
  if (all == NULL) return;
  for (uint32_t i = 0; i < all->count; i++) {
    struct check *c = &all->checks[i];
    timer_clear(&c->timer);
    list_remove(&c->wait.link);
    if (c->call != NULL) upcall_cancel(c->call);
  }
  mem_free(all);
}
