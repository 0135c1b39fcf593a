/* simulate_dialect: one row per wire protocol that the simulator speaks: how to read a request and how to write an
 * answer, whole, streamed and refused. Pure; any thread. A new dialect is a file with one row and a line in
 * simulate_dialect.c. */
#ifndef MOONGATE_MAIN_SIMULATE_DIALECT_H
#define MOONGATE_MAIN_SIMULATE_DIALECT_H

#include "main/simulate/answer.h"
#include "wire/http.h"

/* The steps of a streamed answer, in order:
 *     BEGIN (OPEN DELTA* CLOSE)* FINISH END
 * A dialect writes any number of events for a step, also none. */
enum sim_step_kind { SIM_STEP_BEGIN, SIM_STEP_OPEN, SIM_STEP_DELTA, SIM_STEP_CLOSE, SIM_STEP_FINISH, SIM_STEP_END };

struct sim_step {
  enum sim_step_kind kind;
  unsigned block;    /* OPEN, DELTA, CLOSE: its index */
  uint64_t from, to; /* DELTA: bytes of its text */
};

/* The same as functions of a dialect; NULL, but for delta and end: it writes nothing then. */
struct sim_steps {
  void (*begin)(const struct sim_answer *a, struct buf *out);
  void (*open)(const struct sim_answer *a, unsigned block, struct buf *out);
  void (*delta)(const struct sim_answer *a, const struct sim_step *step, struct buf *out);
  void (*close)(const struct sim_answer *a, unsigned block, struct buf *out);
  void (*finish)(const struct sim_answer *a, struct buf *out);
  void (*end)(const struct sim_answer *a, struct buf *out);
};

struct sim_refusal {
  unsigned status;
  struct slice type;    /* empty: the provider's usual one for the status */
  struct slice message; /* empty: likewise */
};

/* What a provider says with a status; the last row of its table has 0 and is for all others. */
struct sim_fault {
  unsigned status;
  struct slice type, message;
};

struct sim_dialect {
  const char *name;                 /* "openai.chat" */
  struct slice path_end;            /* how the path of a chat request ends */
  bool (*takes)(struct slice path); /* in place of path_end, where a path holds more; also of models. NULL: path_end */
  /* Reads a validated body. false with a refusal as the provider words it. */
  bool (*read)(struct slice body, const struct http_head *head, struct sim_ask *ask, struct sim_refusal *why);
  /* The next declared tool: raw name and raw schema. *rest starts as ask.tools. */
  bool (*tool)(struct slice *rest, struct slice *name, struct slice *schema);
  /* The credential as the provider expects it, or an empty slice. */
  struct slice (*credential)(const struct http_head *head);
  /* The message of a 401. key is empty when none came. Must not hold the whole key. */
  void (*wrong_key)(struct slice key, struct buf *message);
  void (*headers)(const struct sim_answer *a, struct buf *out); /* all but content-type; lines with \r\n */
  void (*whole)(const struct sim_answer *a, struct buf *out);
  /* Once before the first step of a stream; may set a->event_head. May be NULL. */
  void (*begin)(struct sim_answer *a, struct arena *arena);
  struct sim_steps steps;
  void (*ping)(struct buf *out);
  void (*error)(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out);       /* a body */
  void (*error_event)(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out); /* of a stream */
  void (*models)(struct buf *out); /* the body of GET /v1/models */
};

/* Fields of a row whose functions stand under the same names in its file: how a chat goes, which every dialect has of
 * its own, and what its provider does besides. */
#define SIM_OWN_CHAT .read = read, .whole = whole, .error_event = error_event
#define SIM_OWN_PROVIDER                                                                                               \
  .credential = credential, .wrong_key = wrong_key, .headers = headers, .ping = ping, .error = error, .models = models

extern const struct sim_dialect sim_openai_chat, sim_openai_responses, sim_anthropic_messages, sim_bedrock_converse,
    sim_gemini, sim_cohere_chat;

enum { SIM_DIALECTS = 6 };
extern const struct sim_dialect *const sim_dialects[SIM_DIALECTS];

bool sim_dialect_takes(const struct sim_dialect *d, struct slice path);
void sim_dialect_step(const struct sim_dialect *d, const struct sim_answer *a, const struct sim_step *step,
                      struct buf *out);
/* The refusal with the provider's usual words for its status where it has none of its own. */
struct sim_refusal sim_refusal_worded(const struct sim_refusal *why, const struct sim_fault *rows);
/* What stands behind "Bearer " in authorization, or an empty slice. */
struct slice sim_bearer_token(const struct http_head *head);
/* Row of a name, or NULL. */
const struct sim_dialect *sim_dialect_named(const char *name);

#endif
