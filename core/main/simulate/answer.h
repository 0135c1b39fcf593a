/* simulate_answer: what the simulated model says, in no dialect: blocks of thinking, text, tool calls, with usage and
 * finish reason, derived from the request alone. Pure; any thread; lives in the request's arena. */
#ifndef MOONGATE_MAIN_SIMULATE_ANSWER_H
#define MOONGATE_MAIN_SIMULATE_ANSWER_H

#include "main/simulate/ask.h"
#include "main/simulate/steer.h"

struct sim_dialect;

enum sim_block_kind { SIM_THINKING, SIM_TEXT, SIM_REFUSAL, SIM_CALL };

struct sim_block {
  enum sim_block_kind kind;
  struct slice text; /* decoded; of a call, its arguments as JSON. ptr NULL: filler of `bytes` bytes */
  struct slice name; /* raw string: of the tool */
  uint64_t bytes;    /* of the text */
  uint64_t words;    /* one output token each */
  uint64_t deltas;   /* 0: one a word */
};

struct sim_answer {
  struct slice model;       /* raw string, as asked */
  struct slice stream_type; /* as asked: content-type of a stream; ptr NULL: server-sent events */
  struct slice documents;   /* raw array of what may be cited; empty: nothing */
  struct slice finish;      /* neutral: stop, length, tool_calls, refusal, content_filter; else meant verbatim */
  struct sim_block *blocks;
  unsigned block_count;
  uint64_t seed, number; /* of the simulator, of the request: what ids are made of */
  uint64_t input_tokens, cached_tokens, output_tokens, thinking_tokens;
  uint64_t deltas;         /* of all blocks */
  struct slice event_head; /* what the dialect begins each event of a stream with; the dialect's own */
  uint64_t *event_number;  /* the next event's, where the dialect numbers them; NULL until a stream begins */
  bool usage;              /* false: leave it out */
  bool stream_usage;       /* openai.chat: a usage chunk was asked for */
};

/* Composes the answer to ask as steer bends it. seed and number are set by the caller before. */
void sim_answer_compose(struct sim_answer *a, const struct sim_ask *ask, const struct sim_steer *steer,
                        const struct sim_dialect *dialect, struct arena *arena);

/* Numbers the events of its stream, from 0: a dialect's begin. */
void sim_answer_number_events(struct sim_answer *a, struct arena *arena);

/* Where the delta that begins at byte `at`, number k of its block, ends. */
uint64_t sim_block_cut(const struct sim_block *b, uint64_t at, uint64_t k);
/* Bytes [from, to) of its text, as a JSON string with quotes. */
void sim_block_put(const struct sim_block *b, uint64_t from, uint64_t to, struct buf *out);
/* Output tokens in bytes [0, to). */
uint64_t sim_block_tokens(const struct sim_block *b, uint64_t to);

/* A dialect's words for the neutral ones; an empty one stays as it is. */
struct sim_finish_words {
  struct slice stop, length, tool_calls, refusal, content_filter;
};
struct slice sim_finish_word(const struct sim_answer *a, const struct sim_finish_words *words);

/* prefix and 24 letters and digits that belong to this answer and to `salt`. */
void sim_id_put(struct buf *out, const char *prefix, const struct sim_answer *a, unsigned salt);
/* What Claude's thinking is signed with, as a JSON string. */
void sim_signature_put(struct buf *out, const struct sim_answer *a);
uint64_t sim_mix(uint64_t seed, uint64_t number); /* 64 bits that look random and are always the same */

#endif
