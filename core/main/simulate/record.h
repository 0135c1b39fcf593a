/* simulate_record: what a worker received and what became of it: counters, a ring of the last requests, and lines for
 * the file of --record. Written by its worker; read by whichever worker answers /simulate/requests, under the lock.
 *
 * Records hold whole requests, credentials included: that is what tests compare. It is NOT for use with real keys. */
#ifndef MOONGATE_MAIN_SIMULATE_RECORD_H
#define MOONGATE_MAIN_SIMULATE_RECORD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "io/loop.h"
#include "wire/http.h"

enum { SIM_KEPT_BODY_BYTES = 1 << 18 }; /* a longer body is left out of the ring; the file has it */

/* How an exchange ended, from the provider's side. */
enum sim_end { SIM_FINISHED, SIM_CLIENT_GONE, SIM_CUT, SIM_RESET, SIM_TOO_SLOW };

struct sim_record {
  uint64_t seq;                  /* from 1, over all workers */
  int64_t received_ms, ended_ms; /* wall clock */
  struct slice head;             /* the request's head as it came */
  char *kept_head;               /* its memory once it is in the ring */
  struct buf body;
  uint64_t body_bytes;
  const char *dialect; /* "openai.chat"; "" for other paths */
  unsigned status;     /* 0: nothing was answered */
  enum sim_end end;
  uint64_t billed_input, billed_output;
  bool answer_sent; /* a good answer went out whole and unspoiled, with its usage */
};

struct sim_recorder {
  pthread_mutex_t lock; /* of ring, next */
  struct sim_record *ring;
  unsigned keep, next; /* size of the ring; records ever added */
  int file;            /* -1: none */
  struct buf lines;    /* for the file, not written yet */
  struct timer flush;
  atomic_uint_fast64_t requests, open, ends[SIM_TOO_SLOW + 1], billed_input, billed_output;
};

/* file: a descriptor opened with O_APPEND, borrowed, or -1. */
void sim_recorder_init(struct sim_recorder *r, struct loop *l, unsigned keep, int file);
void sim_recorder_done(struct sim_recorder *r); /* writes what is left */

/* The text of a request's head, in one piece: it is what the parser saw. */
struct slice sim_record_head(const struct http_head *head);
/* Takes the record: copies head, takes over body. Counts. */
void sim_record_add(struct sim_recorder *r, struct sim_record *record);
/* Appends at most `most` last records of `count` recorders, oldest first, as a JSON array. */
void sim_record_list(struct sim_recorder **recorders, unsigned count, unsigned most, struct buf *out);
void sim_record_stats(struct sim_recorder **recorders, unsigned count, struct buf *out);
void sim_record_clear(struct sim_recorder *r); /* counters but `open`, and the ring */

#endif
