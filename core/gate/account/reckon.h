/* reckon: how many tokens a text is when nobody says so. Each provider cuts text in a way of its own, which no gateway
 * carries about; these are rules of thumb, held against recorded traffic (tests/unit/gate/reckon_test.c has their
 * errors). They err to the high side, since budgets are kept by them. Pure; one stream's state in one thread.
 *
 * What was generated and not shown (hidden reasoning) nobody can reckon, and what a provider puts in front of a prompt
 * is known for its tools alone. */
#ifndef MOONGATE_GATE_RECKON_H
#define MOONGATE_GATE_RECKON_H

#include "gate/asked.h"
#include "gate/dialect/dialect.h"

/* Of the prompt of a request that `model` of a provider gets which speaks `d`. */
uint64_t reckon_prompt(const struct asked *asked, const struct dialect *d, struct slice model);

/* A whole answer, of which some may have come. */
struct reckoned_whole {
  uint64_t bytes;      /* of all of it, as far as known */
  uint64_t read_bytes; /* of what came and was looked through: 0: nothing */
  uint64_t text_bytes; /* of that: what the model said */
  bool is_complete;    /* and it tells no usage */
};

/* Looks through what came, which may be cut anywhere, or spoiled: the texts, thoughts and arguments in it. */
void reckon_read(struct reckoned_whole *w, struct slice body);
uint64_t reckon_whole(const struct asked *asked, const struct dialect *d, const struct reckoned_whole *w);

/* What a stream has said since its provider last told how much it was. Starts zeroed. To read each event would cost as
 * much as to pass it on: the first ones are read, then one in thirty-two stands for those before it. */
struct reckoned {
  uint64_t tokens;      /* of events from + 1 … taken */
  uint64_t told;        /* output tokens that the provider had told by event `from` */
  uint32_t from, taken; /* numbers of events with content, from 1 */
  bool calls;           /* a tool */
};

/* For reckon_event. */
void reckon_take(struct reckoned *s, const struct dialect *d, const struct reading *r, const struct stream_event *e);

/* One more event with content, number r->deltas. Inline, since nearly all are passed over. */
static inline void reckon_event(struct reckoned *s, const struct dialect *d, const struct reading *r,
                                const struct stream_event *e) {
  enum { ALL_OF_THE_FIRST = 4, THEN_ONE_IN = 32 };
  if (r->usage.output_tokens == s->told && r->deltas > ALL_OF_THE_FIRST && r->deltas < s->taken + THEN_ONE_IN) return;
  reckon_take(s, d, r, e);
}

/* Whether its provider has told all of it, though the stream did not come to its end: behind the finish reason, or with
 * it. */
bool reckon_is_told(const struct reckoned *s, const struct reading *r);
/* All output tokens of the stream so far: those told, and those reckoned. */
uint64_t reckon_stream(const struct reckoned *s, const struct reading *r, const struct asked *asked,
                       struct slice model);

#endif
