/* The gate, with a signer in C: lines made for each call, tokens that are waited for, and every way to give up. */
#include "house.h"

#define CHAT "/v1/chat/completions"
#define ASK "{\"model\":\"r\",\"messages\":[]}"

static const char good[] =
    "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}],\"usage\":"
    "{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}";
static const struct mock_script good_script = {.status = 200, .text = good};

/* What the signer does next, and what it saw; reset by each test. */
static struct {
  enum signer_verdict verdict;
  struct link waits;
  unsigned signs, closed;
  char method[16], target[128];
  size_t body_bytes;
} plan;

static enum signer_verdict sign(const struct signing *call, struct signer_wait *w, struct buf *lines,
                                char why[SIGNER_WHY_BYTES]) {
  plan.signs++;
  *call->state = &plan;
  snprintf(plan.method, sizeof plan.method, "%.*s", (int)call->method.len, call->method.ptr);
  snprintf(plan.target, sizeof plan.target, "%.*s", (int)call->target.len, call->target.ptr);
  plan.body_bytes = 0;
  for (int i = 0; i < call->body_parts; i++) plan.body_bytes += call->body[i].iov_len;
  CHECK(has(call->headers, "content-type: application/json\r\n"));
  CHECK_SLICE(secret_view(call->provider->keys[call->key_index].bare), HOUSE_KEY);
  if (plan.verdict == SIGNER_WAITING) list_add_last(&plan.waits, &w->link);
  if (plan.verdict == SIGNER_DONE) buf_text(lines, "x-signed: made-for-this-call\r\n");
  if (plan.verdict == SIGNER_FAILED) snprintf(why, SIGNER_WHY_BYTES, "the token was refused");
  return plan.verdict;
}

static void close_state(void *state) {
  CHECK(state == &plan);
  CHECK(list_empty(&plan.waits));
  plan.closed++;
}

static const struct signer signer = {"made-up", sign, close_state};

struct stage {
  struct house h;
  struct mock *m;
  struct buf all, body;
};

static void stage_init(struct stage *s, enum signer_verdict verdict, unsigned total_ms) {
  struct config_made made = house_config();
  memset(&plan, 0, sizeof plan);
  list_init(&plan.waits);
  plan.verdict = verdict;
  *s = (struct stage){0};
  s->m = mock_start(mock_serve, &good_script);
  struct provider *p = house_provider(made.config, "a", made.openai, s->m->port);
  made.openai->signer = &signer;
  secret_free(p->keys[0].line);
  p->keys[0].line = NULL;
  if (total_ms > 0) p->timeouts.total_ms = total_ms;
  house_route(made.config, "r", "a/m", NULL);
  house_init(&s->h, made.config, NULL);
}

static void stage_done(struct stage *s) {
  CHECK(house_quiet(&s->h));
  house_done(&s->h);
  CHECK_INT(plan.closed, 1);
  mock_stop(s->m);
  buf_done(&s->all);
  buf_done(&s->body);
}

/* Waits until a call waits for its token. */
static struct signer_wait *waiting(struct stage *s) {
  for (unsigned i = 0; i < 30000 && list_empty(&plan.waits); i++) house_pass_ms(&s->h, 1);
  must(!list_empty(&plan.waits));
  struct signer_wait *w = list_item(plan.waits.next, struct signer_wait, link);
  return w;
}

TEST(a_call_is_signed_with_all_that_it_is) {
  struct stage s;
  stage_init(&s, SIGNER_DONE, 0);
  CHECK_INT(ask(&s.h, CHAT, "", ASK, &s.all, &s.body), 200);
  CHECK_SLICE(slice_text(plan.method), "POST");
  CHECK_SLICE(slice_text(plan.target), "/v1/chat/completions");
  CHECK_INT(plan.body_bytes, strlen(ASK)); /* "r" became "m" */
  CHECK(has(buf_view(mock_last(s.m)), "x-signed: made-for-this-call\r\n"));
  CHECK(!has(buf_view(mock_last(s.m)), HOUSE_KEY));
  stage_done(&s);
}

TEST(a_call_waits_for_its_token) {
  struct stage s;
  struct client c;
  stage_init(&s, SIGNER_WAITING, 0);
  client_open(&c, &s.h);
  client_post(&c, CHAT, ASK);
  struct signer_wait *w = waiting(&s);
  plan.verdict = SIGNER_DONE;
  list_remove(&w->link);
  w->over(w);
  CHECK(client_answer(&c, &s.body));
  CHECK_INT(client_status(&c), 200);
  CHECK_INT(plan.signs, 2);
  client_close(&c);
  stage_done(&s);
}

TEST(a_token_that_does_not_come_fails_the_attempt) {
  struct stage s;
  stage_init(&s, SIGNER_FAILED, 0);
  CHECK_INT(ask(&s.h, CHAT, "", ASK, &s.all, &s.body), 502);
  CHECK(has(buf_view(&s.body), "the token was refused"));
  CHECK(has(house_trace(&s.h), "\"class\":\"auth\""));
  stage_done(&s);
  stage_init(&s, SIGNER_WAITING, 30);
  CHECK_INT(ask(&s.h, CHAT, "", ASK, &s.all, &s.body), 504);
  CHECK(list_empty(&plan.waits));
  stage_done(&s);
}

TEST(a_client_that_leaves_gives_up_the_wait) {
  struct stage s;
  struct client c;
  stage_init(&s, SIGNER_WAITING, 0);
  client_open(&c, &s.h);
  client_post(&c, CHAT, ASK);
  waiting(&s);
  client_close(&c);
  for (unsigned i = 0; i < 30000 && !list_empty(&plan.waits); i++) house_pass_ms(&s.h, 1);
  CHECK(list_empty(&plan.waits));
  stage_done(&s);
}

UNIT_MAIN()
