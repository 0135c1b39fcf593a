/* reckon: see the header. */
#include "gate/account/reckon.h"

/* Bytes a token, in tenths, and what comes on top, by words in a model's name: medians of recorded traffic of 2024 to
 * 2026 with some room. Claude's tools come with a preamble of 290 to 800 tokens ("Tool use", Anthropic's guide), and
 * each call with a frame; Grok's prompts begin with some 150 to 200 tokens of xAI's own; Gemini's JSON has more frame
 * around its text than others', and Cohere bills the text alone. Texts of Chinese or Japanese are three bytes and about
 * a token a letter, and so are within the same rule. */
struct family {
  struct slice word;
  uint16_t text, tools;          /* tenths of a byte a token */
  uint16_t before, before_tools; /* tokens in front of each prompt, and of one with tools */
  uint16_t call;                 /* tokens around the arguments of a stream's calls */
};
static const struct family families[] = {
    {SLICE_INIT("claude"), 35, 40, 0, 500, 45}, {SLICE_INIT("grok"), 35, 40, 150, 100, 20},
    {SLICE_INIT("gemini"), 50, 60, 0, 0, 20},   {SLICE_INIT("command"), 45, 60, 0, 0, 20},
    {SLICE_INIT("nova"), 35, 60, 0, 350, 20},   {SLICE_INIT("gpt"), 35, 60, 0, 0, 20},
};
static const struct family other = {SLICE_INIT(""), 35, 40, 0, 60, 20};

static const struct family *family_of(struct slice model) {
  for (size_t i = 0; i < sizeof families / sizeof *families; i++)
    if (slice_find(model, families[i].word) >= 0) return &families[i];
  return &other;
}

static uint64_t tokens_of(uint64_t bytes, uint16_t tenths) {
  return (bytes * 10 + tenths - 1) / tenths;
}

uint64_t reckon_prompt(const struct asked *asked, const struct dialect *d, struct slice model) {
  enum { TURN_TOKENS = 3 }; /* what marks who speaks, and that an answer begins */
  const struct family *f = family_of(d == &dialect_anthropic_messages ? SLICE("claude") : model);
  uint64_t tokens = tokens_of(asked->text_bytes, f->text) + tokens_of(asked->tool_bytes, f->tools) +
                    asked->attached_tokens + f->before + TURN_TOKENS;
  return tokens + (asked->has_tools ? f->before_tools : 0);
}

/* A limit of the request's holds for whatever is made. */
static uint64_t within_limit(const struct asked *asked, uint64_t tokens) {
  return asked->max_tokens > 0 && tokens > asked->max_tokens ? asked->max_tokens : tokens;
}

/* Behind the closing quote of the string that begins at `at`; the end, when it is cut. */
static const char *string_end(const char *at, const char *end) {
  for (at++; at < end && *at != '"'; at++) at += *at == '\\' && at + 1 < end;
  return at < end ? at + 1 : end;
}

static bool holds_text(struct slice key) {
  static const struct slice names[] = {SLICE_INIT("\"content\""),           SLICE_INIT("\"text\""),
                                       SLICE_INIT("\"arguments\""),         SLICE_INIT("\"thinking\""),
                                       SLICE_INIT("\"reasoning_content\""), SLICE_INIT("\"refusal\""),
                                       SLICE_INIT("\"tool_plan\"")};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (slice_eq(key, names[i])) return true;
  return false;
}

void reckon_read(struct reckoned_whole *w, struct slice body) {
  const char *end = body.ptr + body.len;
  bool is_text = false;
  w->read_bytes = body.len;
  w->text_bytes = 0;
  for (const char *at = body.ptr; at < end && (at = memchr(at, '"', (size_t)(end - at))) != NULL;) {
    struct slice word = slice_of(at, (size_t)(string_end(at, end) - at));
    at += word.len;
    size_t quotes = word.len > 1 && at[-1] == '"' ? 2 : 1;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    bool is_key = at < end && *at == ':';
    if (is_text && !is_key) w->text_bytes += word.len - quotes;
    if (is_key) at++;
    while (is_key && at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    is_text = is_key && at < end && *at == '"' && holds_text(word);
  }
}

uint64_t reckon_whole(const struct asked *asked, const struct dialect *d, const struct reckoned_whole *w) {
  enum { BYTES_TENTHS = 35, LEAST_SHARE = 8 };
  /* What stands around the text of an answer, medians of recorded ones. OpenAI's Responses repeat the tools. */
  static const struct {
    const struct dialect *dialect;
    uint16_t frame_bytes;
  } frames[] = {{&dialect_openai_chat, 720}, {&dialect_openai_responses, 1480},
                {&dialect_gemini, 500},      {&dialect_anthropic_messages, 470},
                {&dialect_cohere_chat, 280}, {&dialect_bedrock_converse, 280}};
  uint64_t frame = 0, text = w->text_bytes, bytes = w->bytes > w->read_bytes ? w->bytes : w->read_bytes;
  if (!w->is_complete && bytes > w->read_bytes) {
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
      if (frames[i].dialect == d) frame = frames[i].frame_bytes;
    if (d == &dialect_openai_responses) frame += asked->tool_bytes;
    if (frame < w->read_bytes - w->text_bytes) frame = w->read_bytes - w->text_bytes;
    uint64_t least = bytes / LEAST_SHARE, rest = bytes > frame + least ? bytes - frame : least;
    if (text < rest) text = rest;
  }
  return within_limit(asked, tokens_of(text, BYTES_TENTHS));
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

/* Most providers send a token an event, and one of a common word is up to eight bytes; some send dozens in one. */
static uint64_t piece_tokens(size_t bytes) {
  enum { TOKEN_BYTES_MAX = 8, BYTES_TENTHS = 35 };
  return bytes <= TOKEN_BYTES_MAX ? 1 : tokens_of(bytes, BYTES_TENTHS);
}

/* Where the arguments of a call begin, if the event begins one, or is all of it. */
static bool has_call(struct slice text) {
  return slice_find(text, SLICE("\"arguments\"")) >= 0 || slice_find(text, SLICE("tool_use")) >= 0 ||
         slice_find(text, SLICE("\"toolUse\"")) >= 0;
}

void reckon_take(struct reckoned *s, const struct dialect *d, const struct reading *r, const struct stream_event *e) {
  if (r->usage.output_tokens != s->told) {
    /* It counts what is in this event, too; told before all content, it counts nothing of that. */
    uint32_t from = r->deltas > 1 ? r->deltas : 0;
    *s = (struct reckoned){.told = r->usage.output_tokens, .from = from, .taken = from};
    if (from > 0) return;
  }
  enum { QUOTES = 2 };
  struct delta piece = {0};
  uint64_t tokens = 1;
  if (d->read_delta(e, &piece)) tokens = piece_tokens(piece.raw.len - QUOTES);
  else s->calls = s->calls || has_call(e->data);
  s->calls = s->calls || piece.kind == DELTA_ARGUMENTS;
  s->tokens += tokens * (r->deltas - s->taken);
  s->taken = r->deltas;
}

/* Nothing has come since it last told. */
static bool covers_all(const struct reckoned *s, const struct reading *r) {
  return r->usage.output_tokens != s->told || r->deltas == s->from;
}

bool reckon_is_told(const struct reckoned *s, const struct reading *r) {
  return r->finish != FINISH_NONE && r->deltas > 0 && r->usage.source == USAGE_PROVIDER && covers_all(s, r);
}

uint64_t reckon_stream(const struct reckoned *s, const struct reading *r, const struct asked *asked,
                       struct slice model) {
  /* What it generated until it noticed that nobody reads any more. */
  enum { LATE_TOKENS = 4 };
  if (r->deltas == 0) return r->usage.output_tokens;
  if (covers_all(s, r)) return within_limit(asked, r->usage.output_tokens + LATE_TOKENS);
  uint64_t seen = s->taken - s->from, all = r->deltas - s->from;
  uint64_t tokens = seen > 0 ? (s->tokens * all + seen - 1) / seen : all;
  return within_limit(asked, s->told + tokens + (s->calls ? family_of(model)->call : 0) + LATE_TOKENS);
}
