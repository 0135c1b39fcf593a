/* simulate_ask: what a request asks of the simulated model, in no dialect. Each dialect fills it from its own JSON.
 * Pure; any thread; slices borrow from the request's body. */
#ifndef MOONGATE_MAIN_SIMULATE_ASK_H
#define MOONGATE_MAIN_SIMULATE_ASK_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/json.h"

enum { SIM_RESULTS_MAX = 16 };

enum sim_tool_choice { SIM_TOOL_AUTO, SIM_TOOL_NONE, SIM_TOOL_REQUIRED, SIM_TOOL_NAMED };

struct sim_result {
  struct slice id;      /* raw string: of the call */
  struct slice name;    /* raw string: of the tool, when the history tells */
  struct slice content; /* raw value: a string or a list of parts */
};

struct sim_ask {
  struct slice model;       /* raw string */
  char model_text[200];     /* where model is, when it was in the path */
  struct slice stream_type; /* content-type of a stream; ptr NULL: server-sent events */
  struct slice user;        /* raw value: content of the last user message; ptr NULL when there is none */
  struct slice tools;       /* raw array, or ptr NULL */
  struct slice named;       /* raw string: the tool that tool_choice names */
  struct slice schema;    /* raw: the answer must be JSON of this schema, which may stand in a string; "{}": any JSON */
  struct slice documents; /* raw array of what the answer may cite, or ptr NULL */
  struct sim_result results[SIM_RESULTS_MAX]; /* tool results since the last answer of the model */
  unsigned result_count;
  enum sim_tool_choice tool_choice;
  uint64_t input_tokens; /* a quarter of the bytes of system, messages and tools as they stand */
  uint64_t max_tokens;   /* 0: not limited */
  bool stream;
  bool stream_usage; /* openai.chat: stream_options.include_usage */
};

/* The members that most dialects have; tools that are no array are none. */
void sim_ask_begin(struct sim_ask *ask, const struct json_field *model, const struct json_field *stream,
                   const struct json_field *tools);
/* One more result, whose name the caller may set; there must be room for it. */
struct sim_result *sim_ask_add_result(struct sim_ask *ask, struct slice id, struct slice content);
/* The next text of a content value: the whole string, or the text parts of a list. *rest starts as the raw content. raw
 * is a raw string. */
bool sim_ask_text_next(struct slice *rest, struct slice *raw);
/* At most `words` first words of a content value, decoded, blanks squeezed. */
struct slice sim_ask_words(struct slice content, unsigned words, struct arena *arena);
/* All its text, decoded. */
struct slice sim_ask_text(struct slice content, struct arena *arena);
/* What stands between "[[simulate" and "]]" in the last tool result that holds such a thing, else in the last user
 * message, decoded; ptr NULL when there is none. */
struct slice sim_ask_directive(const struct sim_ask *ask, struct arena *arena);
/* Whether it says "call NAME". name: decoded. */
bool sim_ask_calls(struct slice content, struct slice name);

#endif
