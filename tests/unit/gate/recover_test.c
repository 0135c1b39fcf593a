/* The gate, routes with `recover`: when a stream breaks off, who goes on, how often, and what the client, the trace and
 * the provider see. What is written is lua/gw/recover.lua's; here hooks in C stand for it. */
#include "house.h"

#define CHAT "/v1/chat/completions"
#define ASK_STREAM "{\"model\":\"r\",\"stream\":true,\"messages\":[]}"
#define CHUNK(text)                                                                                                    \
  "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]}\n\n"
#define FINISH "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE FINISH "data: [DONE]\n\n"

static const struct mock_script breaks = {.text = CHUNK("one"), .reset = true},
                                errs = {.text = CHUNK("one") "data: {\"error\":{\"message\":\"down\"}}\n\n"},
                                refuses = {.text = CHUNK("one") "data: {\"error\":{\"message\":\"Your request was "
                                                                "rejected by our content_policy\",\"code\":"
                                                                "\"content_policy_violation\"}}\n\n"},
                                lacks_end = {.text =
                                                 CHUNK("one") FINISH "data: {\"error\":{\"message\":\"down\"}}\n\n"},
                                stalls = {.text = CHUNK("one"), .hang = true}, good = {.text = CHUNK("two") DONE},
                                silent = {.text = ": nothing\n\n", .cut = true};

/* What the hooks do, and what they saw; reset by each test. */
static struct {
  bool may;
  unsigned asked, built;
} plan;

static enum hook_verdict hook_build(struct script *s, struct attempt *a, struct fault *f) {
  (void)s, (void)f;
  CHECK(a->continues && a->request->body.len == sizeof ASK_STREAM - 1);
  buf_text(&a->body, "{\"prefilled\":1}");
  plan.built++;
  return HOOK_DONE;
}

static enum hook_verdict hook_event(struct script *s, struct attempt *a, const struct stream_event *e, struct buf *out,
                                    struct fault *f) {
  (void)s, (void)f;
  if (has(e->data, "\"content\"")) buf_fill(out, "data: {\"said by\":%u}\n\n", a->number);
  return HOOK_DONE;
}

static enum hook_verdict hook_finish(struct script *s, struct attempt *a, struct buf *out, struct fault *f) {
  (void)s, (void)a, (void)f;
  buf_text(out, "data: over\n\n");
  return HOOK_DONE;
}

static enum hook_verdict hook_recover(struct script *s, struct attempt *a) {
  (void)s;
  CHECK(a->recovers && a->phase == ATTEMPT_FAILED);
  plan.asked++;
  return plan.may ? HOOK_DONE : HOOK_ABSENT;
}

static const struct hooks hooks = {
    .build = hook_build, .event = hook_event, .finish = hook_finish, .recover = hook_recover};

struct stage {
  struct house h;
  struct client c;
  struct mock *a, *b;
  struct buf body;
};

static struct model can_prefill = {.capabilities = 1u << CAN_PREFILL, .capabilities_known = true};

/* Route "r" over a/m, b/m and b/n; who of them can go on with a text. */
static void open_stage(struct stage *s, const struct mock_script *first, const struct mock_script *second,
                       enum recover_mode mode, unsigned prefill_bits) {
  struct config_made made = house_config();
  plan.may = true;
  plan.asked = plan.built = 0;
  *s = (struct stage){.a = mock_start(mock_serve, first), .b = mock_start(mock_serve, second)};
  struct provider *a = house_provider(made.config, "a", made.openai, s->a->port);
  if (first == &stalls) a->timeouts.between_tokens_ms = 50;
  house_provider(made.config, "b", made.openai, s->b->port);
  struct route *r = house_route(made.config, "r", "a/m", "b/m", "b/n", NULL);
  r->recover = mode;
  for (unsigned i = 0; i < 3; i++) r->targets[i]->facts = prefill_bits >> i & 1 ? &can_prefill : NULL;
  house_init(&s->h, made.config, &hooks);
  client_open(&s->c, &s->h);
  client_post(&s->c, CHAT, ASK_STREAM);
}

static struct slice answered(struct stage *s) {
  CHECK(client_answer(&s->c, &s->body));
  return house_trace(&s->h);
}

static void close_stage(struct stage *s) {
  client_close(&s->c);
  buf_done(&s->body);
  house_done(&s->h);
  mock_stop(s->a);
  mock_stop(s->b);
}

/* Goes on at b/m: one head, both pieces, one end. */
static void goes_on(const struct mock_script *first, const char *class, enum recover_mode mode) {
  struct stage s;
  open_stage(&s, first, &good, mode, 7);
  struct slice trace = answered(&s);
  CHECK_SLICE(buf_view(&s.body), "data: {\"said by\":1}\n\ndata: {\"said by\":2}\n\ndata: over\n\n");
  CHECK_INT(count_of(buf_view(&s.c.got), "HTTP/1.1 200"), 1);
  CHECK(has(trace, "\"outcome\":\"ok\"") && has(trace, "\"fallback_used\":true"));
  CHECK(has(trace, class) && has(trace, "\"class\":\"none\""));
  CHECK_INT(count_of(trace, "\"recovered\":true"), 1);
  CHECK_INT(plan.asked, 1);
  CHECK_INT(plan.built, mode == RECOVER_CONTINUE);
  CHECK(has(buf_view(mock_last(s.b)), mode == RECOVER_CONTINUE ? "{\"prefilled\":1}" : "\"model\":\"m\""));
  close_stage(&s);
}

TEST(another_attempt_goes_on) {
  for (enum recover_mode mode = RECOVER_RESTART; mode <= RECOVER_CONTINUE; mode++) {
    goes_on(&breaks, "\"class\":\"reset\"", mode);
    goes_on(&errs, "\"class\":\"stream_error\"", mode);
    goes_on(&stalls, "\"class\":\"between_tokens_timeout\"", mode);
  }
}

/* Ends with the error of the first attempt. */
static void ends(const struct mock_script *first, enum recover_mode mode, unsigned prefill_bits, bool may,
                 unsigned asked) {
  struct stage s;
  open_stage(&s, first, &good, mode, prefill_bits);
  plan.may = may;
  struct slice trace = answered(&s);
  CHECK(has(buf_view(&s.body), "\"error\"") && !has(buf_view(&s.body), "said by\":2"));
  CHECK(has(trace, "\"outcome\":\"failed\""));
  CHECK_INT(count_of(trace, "\"n\":"), 1);
  CHECK_INT(plan.asked, asked);
  CHECK_INT(atomic_load(&s.b->requests), 0);
  close_stage(&s);
}

TEST(where_none_may_the_stream_ends_with_its_error) {
  ends(&breaks, RECOVER_NONE, 7, true, 0);
  ends(&breaks, RECOVER_RESTART, 7, false, 1);   /* what was said forbids it */
  ends(&breaks, RECOVER_CONTINUE, 0, true, 1);   /* nobody can */
  ends(&refuses, RECOVER_RESTART, 7, true, 0);   /* the request is to blame */
  ends(&lacks_end, RECOVER_RESTART, 7, true, 0); /* all was said */
}

TEST(a_text_goes_only_to_whom_it_can_be_given) {
  struct stage s;
  open_stage(&s, &breaks, &good, RECOVER_CONTINUE, 4);
  struct slice trace = answered(&s);
  CHECK(has(trace, "\"outcome\":\"ok\"") && has(trace, "\"model\":\"n\""));
  CHECK_INT(atomic_load(&s.b->requests), 1);
  close_stage(&s);
}

TEST(who_says_nothing_is_passed_over_and_two_are_enough) {
  struct stage s;
  open_stage(&s, &breaks, &silent, RECOVER_RESTART, 7);
  struct slice trace = answered(&s);
  CHECK(has(buf_view(&s.body), "\"error\""));
  CHECK_INT(count_of(trace, "\"recovered\":true"), 3); /* b/m, b/n and, being the last, b/n again */
  CHECK_INT(plan.asked, 1);
  close_stage(&s);
  open_stage(&s, &breaks, &breaks, RECOVER_RESTART, 7);
  trace = answered(&s);
  CHECK_INT(count_of(buf_view(&s.body), "said by"), 3);
  CHECK(has(trace, "\"outcome\":\"failed\""));
  CHECK_INT(plan.asked, 2);
  close_stage(&s);
}

TEST(the_request_s_time_is_all_there_is) {
  struct request r = {.ready_ns = 1000000000};
  struct attempt a = {.request = &r, .started_ns = 3500000000, .clocks.limits.total_ms = 10000};
  recover_limit(&a);
  CHECK_INT(a.clocks.limits.total_ms, 7500);
  a.started_ns = 60000000000;
  recover_limit(&a);
  CHECK_INT(a.clocks.limits.total_ms, 1);
  a.clocks.limits.total_ms = 0;
  recover_limit(&a);
  CHECK_INT(a.clocks.limits.total_ms, 0);
}

UNIT_MAIN()
