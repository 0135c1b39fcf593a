/* attached: see the header. Any thread. */
#include "gate/account/attached.h"

/* A run as long as two steps holds a sample wherever it begins, and text has a blank or a sign within PROBE_BYTES. */
enum { STEP_BYTES = 1024, PROBE_BYTES = 64, RUN_BYTES_MIN = 2 * STEP_BYTES };

/* Anthropic scales pictures down to at most 1,600 tokens, OpenAI's largest are some 1,500, Gemini's 258 a tile; of
 * recordings providers count far less ("Vision" in each one's guide; recorded traffic has 15 to 1,000). A document is
 * read page by page, text and picture: 5 to 25 bytes of its base64 a token where the traffic has one. */
enum { PICTURE_TOKENS = 1600, DOCUMENT_BYTES_A_TOKEN = 6, TEXT_BYTES_A_TOKEN = 4 };

static bool is_base64(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
         c == '-' || c == '_' || c == '=' || c == '\\';
}

static bool all_base64(struct slice text) {
  for (size_t i = 0; i < text.len; i++)
    if (!is_base64(text.ptr[i])) return false;
  return true;
}

/* Whether the string between `from` and `to` is base64, judged by pieces of it. */
static bool is_run(struct slice run) {
  for (size_t at = 0; at + PROBE_BYTES <= run.len; at += STEP_BYTES)
    if (!all_base64(slice_of(run.ptr + at, PROBE_BYTES))) return false;
  return true;
}

static uint64_t tokens_of(struct slice run) {
  static const struct slice pdf = SLICE_INIT("JVBERi0"); /* "%PDF-" */
  if (slice_starts(run, pdf)) return run.len / DOCUMENT_BYTES_A_TOKEN;
  return run.len / TEXT_BYTES_A_TOKEN < PICTURE_TOKENS ? run.len / TEXT_BYTES_A_TOKEN : PICTURE_TOKENS;
}

struct attached attached_measure(struct slice json) {
  struct attached sum = {0};
  for (size_t at = STEP_BYTES; at + PROBE_BYTES <= json.len; at += STEP_BYTES) {
    if (!all_base64(slice_of(json.ptr + at, PROBE_BYTES))) continue;
    const char *quote = memchr(json.ptr + at, '"', json.len - at);
    const char *before = memrchr(json.ptr, '"', at);
    if (quote == NULL || before == NULL) continue;
    struct slice run = slice_of(before + 1, (size_t)(quote - before) - 1);
    ptrdiff_t comma = run.len > 5 && memcmp(run.ptr, "data:", 5) == 0 ? slice_find_byte(run, ',') : -1;
    run = slice_from(run, (size_t)(comma + 1));
    at = (size_t)(quote - json.ptr);
    if (run.len < RUN_BYTES_MIN || !is_run(run)) continue;
    sum.bytes += run.len;
    sum.tokens += tokens_of(run);
  }
  return sum;
}
