/* failure and fault: the two tables, and the classes of recorded and made-up error answers. */
#include "gate/attempt/failure.h"

#include "check.h"
#include "gate/dialect/dialect.h"
#include "gate/fault.h"
#include "wire/recorded.h"

static const char *class_of(unsigned status, const char *type, const char *text) {
  return failure_row(failure_classify(status, type, text, NULL, 0))->name;
}

TEST(classes_by_status_and_words) {
  static const struct {
    unsigned status;
    const char *type, *text, *class;
  } rows[] = {{301, "", "", "redirect"},
              {307, "", "", "redirect"},
              {400, "", "", "invalid"},
              {401, "", "", "auth"},
              {402, "", "", "quota"},
              {403, "", "", "auth"},
              {403, "billing_error", "", "quota"},
              {404, "", "", "not_found"},
              {408, "", "", "request_timeout"},
              {409, "", "", "request_timeout"},
              {413, "request_too_large", "", "invalid"},
              {422, "", "", "invalid"},
              {429, "", "", "rate_limited"},
              {429, "rate_limit_error", "", "rate_limited"},
              {429, "insufficient_quota", "", "quota"},
              {429, "", "You exceeded your current quota, please check your plan", "quota"},
              {500, "", "", "server_error"},
              {500, "overloaded_error", "", "overloaded"},
              {501, "", "", "server_error"},
              {502, "", "", "server_error"},
              {503, "", "", "overloaded"},
              {504, "", "", "server_error"},
              {520, "", "", "server_error"},
              {529, "overloaded_error", "", "overloaded"},
              {400, "context_length_exceeded", "", "context_length"},
              {400, "", "prompt is too long: 210000 tokens > 200000", "context_length"},
              {400, "", "This model's maximum context length is 8192 tokens.", "context_length"},
              {400, "too_many_prompt_tokens", "", "context_length"},
              {400, "content_policy_violation", "", "content_policy"},
              {400, "content_filter", "", "content_policy"},
              {400, "", "Your credit balance is too low to access the Anthropic API.", "quota"},
              {400, "INVALID_ARGUMENT", "API key not valid. Please pass", "auth"},
              {400, "", "Incorrect API key provided: sk-...", "auth"}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
    CHECK_SLICE(slice_text(class_of(rows[i].status, rows[i].type, rows[i].text)), rows[i].class);
}

TEST(only_what_another_target_may_mend_is_tried_again) {
  static const char *const never[] = {"none",    "context_length", "content_policy",
                                      "invalid", "hedge_lost",     "client_gone",    "draining"};
  for (enum failure_class c = FAILURE_NONE; c < FAILURE_COUNT; c++) {
    const struct failure_row *row = failure_row(c);
    bool listed = false;
    for (unsigned i = 0; i < sizeof never / sizeof *never; i++) listed = listed || strcmp(row->name, never[i]) == 0;
    CHECK(row->next_target == !listed);
    CHECK(!row->counts_against_health || row->next_target);
    CHECK_INT(failure_named(slice_text(row->name)), c);
    CHECK(row->doc[0] != '\0' && row->doc[strlen(row->doc) - 1] == '.');
  }
  CHECK_INT(failure_named(SLICE("nonsense")), FAILURE_NONE);
}

/* What a client of the dialect reads when a stream that has begun ends in f. */
static void read_stream_fault(const struct dialect *d, const struct fault *f, enum framing framing) {
  struct buf out = {0};
  struct stream_reader reader;
  struct stream_event e;
  struct reading streamed = {0};
  if (framing == FRAMING_AWS_EVENTS && d->framing != FRAMING_AWS_EVENTS) return;
  if (framing == FRAMING_JSON_ARRAY) buf_text(&out, "[{}");
  d->put_stream_fault(&out, f, &(struct stream_place){framing, 3}, SLICE(""));
  stream_init(&reader, framing, 1 << 20);
  buf_reserve(&out, 0);
  struct slice in = buf_view(&out);
  if (framing == FRAMING_JSON_ARRAY) CHECK(stream_next(&reader, &in, &e) == STREAM_EVENT);
  CHECK(stream_next(&reader, &in, &e) == STREAM_EVENT && e.has_data);
  d->read_event(&streamed, &e);
  CHECK(streamed.failed && !streamed.complete);
  while (stream_next(&reader, &in, &e) == STREAM_EVENT) CHECK(!e.has_data);
  CHECK(in.len == 0 && stream_finish(&reader, &e) == STREAM_MORE);
  stream_done(&reader);
  buf_done(&out);
}

TEST(faults_have_a_code_of_their_own_and_fit_every_dialect) {
  for (enum fault_code i = 0; i < FAULT_COUNT; i++) {
    const struct fault_row *row = fault_row(i);
    struct fault f;
    CHECK(row->status >= 400 && row->status < 600);
    for (enum fault_code k = 0; k < i; k++) CHECK(strcmp(fault_row(k)->code, row->code) != 0);
    fault_set(&f, i, "quote \" backslash \\ control \x01 byte \xff %s", "end");
    snprintf(f.param, sizeof f.param, "messages[2].\"content\"");
    CHECK_INT(fault_status(&f), row->status);
    CHECK_SLICE(slice_text(fault_code_text(&f)), row->code);
    for (enum dialect_id d = 0; d < DIALECT_COUNT; d++) {
      struct buf out = {0};
      struct reading r = {0};
      dialect_of(d)->put_fault(&out, &f, SLICE("req_1"));
      buf_reserve(&out, 0);
      CHECK(json_valid(buf_view(&out), NULL));
      CHECK(slice_find(buf_view(&out), slice_text(row->code)) > 0);
      dialect_of(d)->read_error(&r, buf_view(&out));
      CHECK(strncmp(strstr(r.error_text, "quote"), "quote \" backslash \\ control \x01 byte \xef\xbf\xbd end", 40) ==
            0);
      CHECK((r.error_type[0] != '\0') == (d != DIALECT_COHERE_CHAT)); /* its envelope has no type */
      buf_done(&out);
      for (enum framing framing = FRAMING_SSE; framing < FRAMING_COUNT; framing++)
        if (framing == dialect_of(d)->framing || d == DIALECT_GEMINI) read_stream_fault(dialect_of(d), &f, framing);
    }
  }
}

TEST(long_texts_of_a_fault_are_cut) {
  struct fault f;
  char text[2000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  fault_set(&f, FAULT_BAD_JSON, "%s", text);
  CHECK_INT(strlen(f.text), sizeof f.text - 1);
  f.status = 418;
  snprintf(f.script_code, sizeof f.script_code, "my_code");
  CHECK_INT(fault_status(&f), 418);
  CHECK_SLICE(slice_text(fault_code_text(&f)), "my_code");
}

/* ---- recorded errors */

static unsigned errors_seen;

/* What each status may be, written by eye from the recorded bodies; 400 is told apart below. */
static const char *expected_class(unsigned status, struct slice body) {
  if (slice_find(body, SLICE("too_many_prompt_tokens")) >= 0) return "context_length";
  return status == 400                    ? "invalid"
         : status == 401 || status == 403 ? "auth"
         : status == 404                  ? "not_found"
         : status == 429                  ? "rate_limited"
         : status == 500                  ? "server_error"
                                          : "?";
}

static void each_exchange(struct slice file, const char *name) {
  static const char *const protocol_path[] = {"protocol", NULL}, *const status_path[] = {"status", NULL},
                           *const body_path[] = {"response_body", NULL};
  struct slice protocol, raw = json_find(file, body_path);
  uint64_t status;
  if (!json_plain(json_find(file, protocol_path), &protocol) || !json_to_u64(json_find(file, status_path), &status) ||
      status < 400)
    return;
  const struct dialect *d = dialect_named(protocol);
  if (d == NULL) return;
  struct buf body = {0};
  struct reading r = {0};
  CHECK(json_unquote(raw, buf_reserve(&body, raw.len), &body.len));
  d->read_error(&r, buf_view(&body));
  const char *class = class_of((unsigned)status, r.error_type, r.error_text),
             *expected = expected_class((unsigned)status, buf_view(&body));
  if (strcmp(class, expected) != 0 || r.error_text[0] == '\0')
    fprintf(stderr, "%s: %s, not %s: %s\n", name, class, expected, r.error_text);
  CHECK(strcmp(class, expected) == 0 && r.error_text[0] != '\0');
  errors_seen++;
  buf_done(&body);
}

TEST(recorded_errors_are_classified_sensibly) {
  for (struct recorded_walk w = {0}; recorded_next(&w);) each_exchange(w.file, w.name);
  fprintf(stderr, "recorded errors: %u\n", errors_seen);
}

TEST(error_bodies_of_other_shapes_are_read) {
  static const struct {
    const char *body, *type, *text;
  } rows[] = {{"{\"error\":\"just text\"}", "", "just text"},
              {"{\"message\":\"m\",\"type\":\"t\"}", "t", "m"},
              {"{\"detail\":[{\"loc\":1}]}", "", "[{\"loc\":1}]"},
              {"[{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"S\"}}]", "", "m"},
              {"{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":\"c\"}}", "c", "m"},
              {"{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":null}}", "t", "m"},
              {"<html>Bad gateway</html>", "", ""},
              {"", "", ""},
              {"{\"error\":{\"mess", "", ""},
              {"{\"error\":null,\"message\":\"m\"}", "", "m"}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct reading r = {0};
    struct buf body = padded(rows[i].body);
    dialect_openai_chat.read_error(&r, buf_view(&body));
    CHECK_SLICE(slice_text(r.error_text), rows[i].text);
    CHECK_SLICE(slice_text(r.error_type), rows[i].type);
    buf_done(&body);
  }
}

/* Errors inside an answer with status 200: the type decides where the words could mean two things. */
TEST(errors_within_an_answer) {
  static const struct {
    const char *type, *text;
    enum failure_class class;
  } cases[] = {
      {"throttlingException", "Too many tokens, please wait.", FAILURE_RATE_LIMITED},
      {"rate_limit_error", "slow down", FAILURE_RATE_LIMITED},
      {"RESOURCE_EXHAUSTED", "", FAILURE_RATE_LIMITED},
      {"overloaded_error", "Overloaded", FAILURE_OVERLOADED},
      {"serviceUnavailableException", "", FAILURE_OVERLOADED},
      {"validationException", "Input is too long for requested model.", FAILURE_CONTEXT_LENGTH},
      {"insufficient_quota", "", FAILURE_QUOTA},
      {"internalServerException", "oops", FAILURE_STREAM_ERROR},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    CHECK_INT(failure_classify_inner(cases[i].type, cases[i].text, NULL, 0, FAILURE_STREAM_ERROR), cases[i].class);
  static const struct failure_rule rule = {.name = "throttlingException", .class = FAILURE_QUOTA};
  CHECK_INT(failure_classify_inner("throttlingException", "x", &rule, 1, FAILURE_STREAM_ERROR), FAILURE_QUOTA);
}

UNIT_MAIN()
