/* simulate_steer: the keys that bend simulated answers: pace, size, content, faults. One table of rows; the same keys
 * are options of the command, parts of the path (/s/KEY=VALUE,…/), of the header x-simulate, of the last user message
 * ([[simulate KEY=VALUE …]]) and of POST /simulate/config. Pure; any thread; texts live in the arena given. */
#ifndef MOONGATE_MAIN_SIMULATE_STEER_H
#define MOONGATE_MAIN_SIMULATE_STEER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

/* Where in an answer something happens, in order. */
enum sim_moment {
  SIM_NEVER,
  SIM_AT_HEAD,   /* before the head */
  SIM_AT_FIRST,  /* the head is out, nothing of the body */
  SIM_AT_MIDDLE, /* half of the content is out */
  SIM_AT_END     /* the content is out, its end is not */
};

enum sim_malformed { SIM_WELL_FORMED, SIM_BAD_JSON, SIM_BAD_SSE, SIM_BAD_CONTENT_TYPE };

/* How retry_after is told: a number of seconds, an HTTP date, or retry-after-ms as OpenAI's and Anthropic's SDKs know.
 */
enum sim_retry_form { SIM_RETRY_SECONDS, SIM_RETRY_DATE, SIM_RETRY_MS };

#define SIM_UNSET UINT64_MAX /* numbers for which 0 means something */

struct sim_steer {
  uint64_t latency_ms, ttft_ms, chunk_ms, ping_ms;
  uint64_t chunks;       /* 0: one a word */
  uint64_t answer_bytes; /* SIM_UNSET: the short sentence */
  uint64_t cached_tokens;
  uint64_t status;      /* 0: 200 */
  uint64_t retry_after; /* seconds; SIM_UNSET: no header */
  uint64_t cut_at;      /* bytes of the body; SIM_UNSET: not cut */
  uint64_t corrupt_at;  /* byte of the body; SIM_UNSET: none */
  uint64_t fail_first;
  uint64_t drip_ms, drip_bytes;                          /* a piece of the body each drip_ms; 0: as it is made */
  uint64_t header_bytes;                                 /* filler in the head */
  uint64_t gzip_bytes;                                   /* the body is a gzip of so many blanks; 0: as it is */
  double fail;                                           /* share of requests; below 0: not set */
  double tail;                                           /* share of requests */
  uint64_t tail_ms;                                      /* that those wait besides */
  struct slice type, text, thinking_text, tools, finish; /* empty: not set */
  struct slice header;                                   /* "name: value" */
  struct slice provider;                                 /* by whose name a scenario strikes */
  bool thinking, no_usage, echo, quote_key;
  uint8_t stall, reset, close, error_event; /* enum sim_moment */
  uint8_t malformed;                        /* enum sim_malformed */
  uint8_t retry_form;                       /* enum sim_retry_form */
};

extern const struct sim_steer sim_steer_none;

/* Sets one key; "" as value is "1". false with a did-you-mean for an unknown key, and for a value out of its range. */
bool sim_steer_set(struct sim_steer *s, struct slice key, struct slice value, struct arena *arena, struct err *e);

/* Sets all of "key=value key; key=value,key=value". A value may stand in double quotes. What follows a comma and has no
 * '=' goes on with the value before it, so that lists need no quotes. */
bool sim_steer_parse(struct sim_steer *s, struct slice text, struct arena *arena, struct err *e);

void sim_steer_help(FILE *out); /* the table, a line a key */

#endif
