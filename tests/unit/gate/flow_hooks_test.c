/* The gate, with hooks: policies that order, wait, refuse and fail; retry; adapters that translate. */
#include "house.h"

#define CHAT "/v1/chat/completions"
#define MESSAGES "/v1/messages"
#define ASK "{\"model\":\"r\",\"messages\":[]}"
#define ASK_STREAM "{\"model\":\"r\",\"stream\":true,\"messages\":[]}"
#define DELTA "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"

static const char good[] =
    "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}],\"usage\":"
    "{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}";
static const struct mock_script good_script = {.status = 200, .text = good};
static const struct mock_script broken_script = {.status = 500, .text = "{\"error\":{\"message\":\"down\"}}"};

/* What the hooks do, and what they saw; reset by each test. */
static struct {
  enum hook_verdict route, retry, build, answer, event, finish, error;
  enum fault_code fault;
  const char *order[4]; /* targets that route or retry adds */
  struct request *waiting;
  unsigned routed, retried, built, forgot_attempt, forgot_request, finished, dropped;
  char last_class[32];
} plan;

static void plan_fault(struct fault *f) {
  fault_set(f, plan.fault, "said the script");
}

static void add_targets(struct request *r) {
  for (unsigned i = 0; i < 4 && plan.order[i] != NULL; i++)
    request_plan_add(r, request_target(r, slice_text(plan.order[i])));
}

static enum hook_verdict hook_route(struct script *s, struct request *r, struct fault *f) {
  (void)s;
  plan.routed++;
  r->script_state = &plan;
  if (plan.route == HOOK_WAITING) plan.waiting = r;
  if (plan.route == HOOK_DONE) add_targets(r);
  if (plan.route == HOOK_REFUSED || plan.route == HOOK_FAILED) plan_fault(f);
  return plan.route;
}

static enum hook_verdict hook_retry(struct script *s, struct request *r, struct attempt *failed, struct fault *f) {
  (void)s;
  plan.retried++;
  r->script_state = &plan;
  snprintf(plan.last_class, sizeof plan.last_class, "%s", failure_row(failed->failure)->name);
  if (plan.retry == HOOK_WAITING) plan.waiting = r;
  if (plan.retry == HOOK_DONE && failed->number == 1) {
    request_plan_replace(r);
    add_targets(r);
  }
  if (plan.retry == HOOK_REFUSED || plan.retry == HOOK_FAILED) plan_fault(f);
  return plan.retry;
}

static enum hook_verdict hook_build(struct script *s, struct attempt *a, struct fault *f) {
  (void)s;
  plan.built++;
  a->script_state = &plan;
  buf_text(&a->body, "{\"translated\":1}");
  a->losses = SLICE("top_k,seed");
  if (plan.build != HOOK_DONE) plan_fault(f);
  return plan.build;
}

static enum hook_verdict hook_answer(struct script *s, struct attempt *a, struct slice body, struct slice *out,
                                     struct fault *f) {
  (void)s, (void)body;
  *out = arena_copy(&a->request->arena, SLICE("{\"in_other_words\":true}"));
  if (plan.answer != HOOK_DONE) plan_fault(f);
  return plan.answer;
}

static enum hook_verdict hook_event(struct script *s, struct attempt *a, const struct stream_event *e, struct buf *out,
                                    struct fault *f) {
  (void)s;
  if (a->reading.is_content) buf_text(out, "event: said\ndata: {}\n\n");
  if (plan.event != HOOK_DONE && e->has_data && has(e->data, "poison")) {
    plan_fault(f);
    return plan.event;
  }
  return HOOK_DONE;
}

static enum hook_verdict hook_finish(struct script *s, struct attempt *a, struct buf *out, struct fault *f) {
  (void)s, (void)a;
  plan.finished++;
  buf_text(out, "event: over\ndata: {}\n\n");
  if (plan.finish != HOOK_DONE) plan_fault(f);
  return plan.finish;
}

static enum hook_verdict hook_error(struct script *s, struct attempt *a, struct slice body, unsigned *status,
                                    struct slice *out, struct fault *f) {
  (void)s, (void)f;
  CHECK(!has(body, HOUSE_KEY));
  *status = 418;
  *out = arena_copy(&a->request->arena, SLICE("{\"type\":\"error\"}"));
  return plan.error;
}

static void drop_body(struct script *s, struct attempt *a) {
  (void)s;
  CHECK_SLICE(a->request->body, ASK_STREAM);
  plan.dropped++;
}

static void forget_attempt(struct script *s, struct attempt *a) {
  (void)s;
  CHECK(a->script_state == &plan);
  plan.forgot_attempt++;
}

static void forget_request(struct script *s, struct request *r) {
  (void)s;
  CHECK(r->script_state == &plan);
  plan.forgot_request++;
  plan.waiting = NULL;
}

static const struct hooks hooks = {.route = hook_route,
                                   .retry = hook_retry,
                                   .build = hook_build,
                                   .answer = hook_answer,
                                   .event = hook_event,
                                   .finish = hook_finish,
                                   .error = hook_error,
                                   .drop_body = drop_body,
                                   .forget_attempt = forget_attempt,
                                   .forget_request = forget_request};

struct stage {
  struct house h;
  struct mock *a, *b;
  struct buf all, body;
};

/* Route "r" over a/m and b/m. policy, retry: the route has these hooks. anthropic: the providers speak it. */
static void stage_init(struct stage *s, const struct mock_script *a, const struct mock_script *b, bool policy,
                       bool retry, bool anthropic) {
  struct config_made made = house_config();
  memset(&plan, 0, sizeof plan);
  *s = (struct stage){0};
  s->a = mock_start(mock_serve, a);
  s->b = mock_start(mock_serve, b);
  house_provider(made.config, "a", anthropic ? made.anthropic : made.openai, s->a->port);
  house_provider(made.config, "b", anthropic ? made.anthropic : made.openai, s->b->port);
  struct route *r = house_route(made.config, "r", "a/m", "b/m", NULL);
  r->has_policy = policy;
  r->has_retry = retry;
  house_init(&s->h, made.config, &hooks);
}

static unsigned stage_ask(struct stage *s, const char *body) {
  return ask(&s->h, CHAT, "", body, &s->all, &s->body);
}

static void stage_done(struct stage *s) {
  CHECK(house_quiet(&s->h));
  house_done(&s->h);
  mock_stop(s->a);
  mock_stop(s->b);
  buf_done(&s->all);
  buf_done(&s->body);
}

TEST(route_orders_the_plan) {
  struct stage s;
  stage_init(&s, &good_script, &good_script, true, false, false);
  plan.order[0] = "b/other";
  CHECK_INT(stage_ask(&s, ASK), 200);
  CHECK(has(buf_view(&s.all), "x-moongate-target: b/other\r\n"));
  plan.route = HOOK_ABSENT; /* the builtin order */
  CHECK_INT(stage_ask(&s, ASK), 200);
  CHECK(has(buf_view(&s.all), "x-moongate-target: a/m\r\n"));
  plan.route = HOOK_FAILED; /* the same, unless the route refuses */
  plan.fault = FAULT_SCRIPT_FAILED;
  CHECK_INT(stage_ask(&s, ASK), 200);
  s.h.gate->tenure->generation->config->routes[0]->refuse_on_script_error = true;
  CHECK_INT(stage_ask(&s, ASK), 500);
  CHECK(has(buf_view(&s.body), "\"code\":\"script_failed\""));
  plan.route = HOOK_DONE;
  plan.order[0] = NULL;
  CHECK_INT(stage_ask(&s, ASK), 503);
  CHECK(has(buf_view(&s.body), "\"code\":\"no_target\""));
  plan.route = HOOK_REFUSED;
  plan.fault = FAULT_REFUSED_BY_POLICY;
  CHECK_INT(stage_ask(&s, ASK), 403);
  CHECK(has(buf_view(&s.body), "said the script"));
  CHECK_INT(plan.routed, 6);
  struct slice trace = house_trace(&s.h);
  CHECK_INT(plan.forgot_request, 6);
  CHECK_INT(count_of(trace, "\"outcome\":\"refused\""), 3);
  stage_done(&s);
}

static void resume(struct request *r, enum hook_verdict verdict) {
  struct fault f;
  fault_set(&f, FAULT_REFUSED_BY_POLICY, "after a while");
  if (verdict == HOOK_DONE) add_targets(r);
  plan.waiting = NULL;
  request_resumed(r, verdict, &f);
}

/* A client asks, and its request waits in the script. */
static void ask_and_wait(struct stage *s, struct client *c) {
  client_open(c, &s->h);
  client_post(c, CHAT, ASK);
  for (unsigned i = 0; plan.waiting == NULL && i < 30000; i++) house_pass_ms(&s->h, 1);
  must(plan.waiting != NULL);
}

TEST(route_that_waits_goes_on_when_resumed) {
  struct stage s;
  struct client c;
  stage_init(&s, &good_script, &good_script, true, false, false);
  for (unsigned refused = 0; refused < 2; refused++) {
    plan.route = HOOK_WAITING;
    plan.order[0] = "b/m";
    ask_and_wait(&s, &c);
    house_pass_ms(&s.h, 20);
    CHECK_INT(atomic_load(&s.b->requests), refused ? 1 : 0);
    resume(plan.waiting, refused ? HOOK_REFUSED : HOOK_DONE);
    CHECK(client_answer(&c, &s.body));
    CHECK_INT(client_status(&c), refused ? 403 : 200);
    client_close(&c);
  }
  stage_done(&s);
}

TEST(client_that_leaves_while_a_script_waits_is_forgotten) {
  struct stage s;
  struct client c;
  stage_init(&s, &broken_script, &good_script, true, true, false);
  for (unsigned in_retry = 0; in_retry < 2; in_retry++) {
    plan.route = in_retry ? HOOK_ABSENT : HOOK_WAITING;
    plan.retry = HOOK_WAITING;
    ask_and_wait(&s, &c);
    client_close(&c);
    CHECK(house_quiet(&s.h));
    CHECK(plan.waiting == NULL);
    CHECK_INT(plan.forgot_request, in_retry + 1);
  }
  CHECK_INT(count_of(house_trace(&s.h), "\"outcome\":\"client_gone\",\"status\":499"), 2);
  CHECK_INT(atomic_load(&s.b->requests), 0);
  stage_done(&s);
}

/* The gateway stops while a script waits; the script's result comes before the refusal has left. */
TEST(result_after_the_gateway_refused_is_dropped) {
  struct stage s;
  struct client c;
  stage_init(&s, &broken_script, &good_script, true, true, false);
  for (unsigned in_retry = 0; in_retry < 2; in_retry++) {
    plan.route = in_retry ? HOOK_ABSENT : HOOK_WAITING;
    plan.retry = HOOK_WAITING;
    plan.order[0] = "b/m";
    ask_and_wait(&s, &c);
    struct request *r = plan.waiting;
    struct fault f;
    fault_set(&f, FAULT_DRAINING, "The gateway stops.");
    request_shut(r, &f);
    resume(r, HOOK_DONE);
    CHECK(client_answer(&c, &s.body));
    CHECK_INT(client_status(&c), 503);
    client_close(&c);
  }
  CHECK_INT(atomic_load(&s.b->requests), 0);
  stage_done(&s);
}

TEST(retry_replaces_the_plan) {
  struct stage s;
  stage_init(&s, &broken_script, &good_script, false, true, false);
  plan.order[0] = "b/second";
  CHECK_INT(stage_ask(&s, ASK), 200);
  CHECK(has(buf_view(&s.all), "x-moongate-target: b/second\r\nx-moongate-attempts: 2\r\n"));
  CHECK_SLICE(slice_text(plan.last_class), "server_error");
  plan.order[0] = "a/again", plan.order[1] = "b/third";
  CHECK_INT(stage_ask(&s, ASK), 200);
  CHECK(has(buf_view(&s.all), "x-moongate-target: b/third\r\nx-moongate-attempts: 3\r\n"));
  plan.order[0] = NULL; /* nothing left to try: the provider's own error */
  CHECK_INT(stage_ask(&s, ASK), 500);
  CHECK_SLICE(buf_view(&s.body), broken_script.text);
  plan.retry = HOOK_REFUSED;
  plan.fault = FAULT_REFUSED_BY_POLICY;
  CHECK_INT(stage_ask(&s, ASK), 403);
  plan.retry = HOOK_FAILED; /* the builtin way */
  CHECK_INT(stage_ask(&s, ASK), 200);
  plan.retry = HOOK_ABSENT;
  CHECK_INT(stage_ask(&s, ASK), 200);
  CHECK_INT(plan.retried, 7);
  stage_done(&s);
}

TEST(retry_may_go_on_after_the_callers_mistake) {
  static const struct mock_script bad = {.status = 400, .text = "{}"};
  struct stage s;
  stage_init(&s, &bad, &good_script, false, true, false);
  plan.order[0] = "b/m";
  CHECK_INT(stage_ask(&s, ASK), 200);
  CHECK_SLICE(slice_text(plan.last_class), "invalid");
  stage_done(&s);
}

TEST(plan_is_bounded) {
  struct stage s;
  stage_init(&s, &broken_script, &broken_script, true, false, false);
  plan.order[0] = plan.order[1] = plan.order[2] = plan.order[3] = "a/m";
  CHECK_INT(stage_ask(&s, ASK), 500);
  CHECK(has(buf_view(&s.all), "x-moongate-attempts: 4\r\n"));
  stage_done(&s);
}

/* ---- two dialects */

#define START                                                                                                          \
  "event: message_start\ndata: "                                                                                       \
  "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":11,\"output_tokens\":1}}}\n\n"
#define TEXT                                                                                                           \
  "event: content_block_delta\ndata: "                                                                                 \
  "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
#define STOP                                                                                                           \
  "event: message_delta\ndata: "                                                                                       \
  "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\n"          \
  "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

TEST(whole_answer_is_translated) {
  static const struct mock_script message = {.status = 200,
                                             .headers = "anthropic-ratelimit-requests-limit: 9\r\n",
                                             .text = "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"end_"
                                                     "turn\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}"};
  struct stage s;
  stage_init(&s, &message, &message, false, false, true);
  CHECK_INT(stage_ask(&s, ASK), 200);
  CHECK_SLICE(buf_view(&s.body), "{\"in_other_words\":true}");
  CHECK(has(buf_view(&s.all), "\r\ncontent-type: application/json\r\n") &&
        has(buf_view(&s.all), "\r\nx-moongate-lossy: top_k,seed\r\n"));
  CHECK_SLICE(mock_body_of(mock_last(s.a)), "{\"translated\":1}");
  CHECK(has(buf_view(mock_last(s.a)), "anthropic-version: 2023-06-01\r\n"));
  plan.answer = HOOK_FAILED;
  plan.fault = FAULT_SCRIPT_FAILED;
  CHECK_INT(stage_ask(&s, ASK), 500);
  CHECK(has(buf_view(&s.body), "\"code\":\"script_failed\"") && has(buf_view(&s.all), "x-moongate-attempts: 2"));
  struct slice trace = house_trace(&s.h);
  CHECK(has(trace, "\"losses\":[\"top_k\",\"seed\"]") && has(trace, "\"class\":\"script\""));
  CHECK_INT(plan.forgot_attempt, 3);
  stage_done(&s);
}

TEST(stream_is_translated_event_by_event) {
  static const struct mock_script stream = {.text = START TEXT TEXT STOP};
  struct stage s;
  stage_init(&s, &stream, &stream, false, false, true);
  CHECK_INT(stage_ask(&s, ASK_STREAM), 200);
  CHECK_SLICE(buf_view(&s.body),
              "event: said\ndata: {}\n\nevent: said\ndata: {}\n\nevent: said\ndata: {}\n\nevent: over\ndata: {}\n\n");
  CHECK_INT(plan.finished, 1);
  plan.finish = HOOK_FAILED;
  plan.fault = FAULT_SCRIPT_FAILED;
  CHECK_INT(stage_ask(&s, ASK_STREAM), 200);
  CHECK(has(buf_view(&s.body), "\"code\":\"script_failed\"") && !has(buf_view(&s.body), "over"));
  stage_done(&s);
}

TEST(script_that_fails_within_a_stream_ends_it_with_an_error) {
  static const struct mock_script stream = {.text = START TEXT "event: ping\ndata: {\"poison\":1}\n\n" STOP},
                                  early = {.text = START "event: ping\ndata: {\"poison\":1}\n\n" TEXT STOP};
  struct stage s;
  stage_init(&s, &stream, &stream, false, false, true);
  plan.event = HOOK_FAILED;
  plan.fault = FAULT_SCRIPT_FAILED;
  CHECK_INT(stage_ask(&s, ASK_STREAM), 200);
  CHECK(slice_starts(buf_view(&s.body), SLICE("event: said\ndata: {}\n\ndata: {\"error\":{")));
  CHECK(has(buf_view(&s.body), "\"code\":\"script_failed\"") && !has(buf_view(&s.body), "[DONE]"));
  s.a->script = s.b->script = &early;
  CHECK_INT(stage_ask(&s, ASK_STREAM), 500);
  CHECK_INT(plan.forgot_attempt, 3);
  stage_done(&s);
}

/* The provider's error frame in a translated stream: the gateway says it in the client's dialect; `finish` is for good
 * ends. */
TEST(error_within_a_translated_stream_is_the_gateways_to_tell) {
  static const struct mock_script stream = {
      .text = START TEXT
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy " HOUSE_KEY
      "\"}}\n\n"};
  struct stage s;
  stage_init(&s, &stream, &stream, false, false, true);
  CHECK_INT(stage_ask(&s, ASK_STREAM), 200);
  CHECK(
      slice_starts(buf_view(&s.body), SLICE("event: said\ndata: {}\n\ndata: {\"error\":{\"message\":\"a: busy ****")));
  CHECK(has(buf_view(&s.body), "\"code\":\"provider_failed\"") && !has(buf_view(&s.body), HOUSE_KEY));
  CHECK_INT(plan.finished, 0);
  CHECK(has(house_trace(&s.h), "\"class\":\"stream_error\""));
  stage_done(&s);
}

TEST(error_answer_is_translated) {
  static const struct mock_script bad = {
      .status = 400,
      .text = "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"" HOUSE_KEY "\"}}"};
  struct stage s;
  stage_init(&s, &bad, &bad, false, false, true);
  CHECK_INT(stage_ask(&s, ASK), 418);
  CHECK_SLICE(buf_view(&s.body), "{\"type\":\"error\"}");
  plan.error = HOOK_FAILED;
  CHECK_INT(stage_ask(&s, ASK), 400);
  CHECK(has(buf_view(&s.body), "\"code\":\"provider_failed\"") && !has(buf_view(&s.body), HOUSE_KEY));
  stage_done(&s);
}

TEST(request_that_cannot_be_carried_is_refused) {
  static const struct mock_script unused = {.status = 200, .text = "{}"};
  struct stage s;
  stage_init(&s, &unused, &unused, false, false, true);
  plan.build = HOOK_REFUSED;
  plan.fault = FAULT_FIELD_INVALID; /* at fault for everybody: not tried elsewhere */
  CHECK_INT(stage_ask(&s, ASK), 400);
  CHECK_INT(plan.built, 1);
  plan.fault = FAULT_REFUSED_BY_POLICY; /* for this target: the next is tried */
  CHECK_INT(stage_ask(&s, ASK), 400);
  CHECK_INT(plan.built, 3);
  plan.build = HOOK_FAILED;
  CHECK_INT(stage_ask(&s, ASK), 500);
  CHECK_INT(atomic_load(&s.a->connections), 0);
  struct slice trace = house_trace(&s.h);
  CHECK_INT(count_of(trace, "\"class\":\"untranslatable\""), 2);
  CHECK_INT(count_of(trace, "\"outcome\":\"refused\""), 1);
  CHECK_INT(atomic_load(&target_state_of(SLICE("a/m"))->in_flight), 0);
  stage_done(&s);
}

/* An adapter of the client's own dialect that rewrites events only: the usage chunk nobody asked for stays away all the
 * same. */
TEST(rewritten_stream_keeps_the_stripped_usage_chunk_out) {
  static const struct mock_script stream = {
      .text =
          DELTA "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"};
  struct stage s;
  stage_init(&s, &stream, &stream, false, false, false);
  s.h.gate->tenure->generation->config->adapters[0]->rewrites_event = true;
  CHECK_INT(stage_ask(&s, ASK_STREAM), 200);
  CHECK_SLICE(buf_view(&s.body), "event: said\ndata: {}\n\nevent: over\ndata: {}\n\n");
  CHECK(has(house_trace(&s.h), "\"input_tokens\":7,\"output_tokens\":2,"));
  stage_done(&s);
}

UNIT_MAIN()
