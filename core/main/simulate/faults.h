/* simulate_faults: which fault strikes a request, and where in its answer. A fault at a moment is one row. Any thread.
 * It does NOT act: the play does (simulate_play.c). */
#ifndef MOONGATE_MAIN_SIMULATE_FAULTS_H
#define MOONGATE_MAIN_SIMULATE_FAULTS_H

#include "main/simulate/worker.h"

enum sim_act { SIM_GO_ON, SIM_STALL, SIM_CLOSE, SIM_RST, SIM_ERROR_EVENT };

/* fail= and fail_first= choose the requests that faults strike: takes them out of *steer for the others. */
void sim_faults_draw(struct simulator *s, struct sim_steer *steer, uint64_t number, struct slice path,
                     struct slice model);
/* tail= chooses the requests that begin later. */
void sim_faults_delay(const struct simulator *s, struct sim_steer *steer, uint64_t number, bool stream);
/* What happens at that moment. */
enum sim_act sim_faults_at(const struct sim_steer *steer, enum sim_moment moment);
/* Header lines that faults add: retry-after in its forms, one of the asker's own, filler. */
void sim_faults_put_headers(const struct sim_steer *steer, struct buf *out);
/* Spoils out from byte `from` on (one streamed event, or a whole body) as malformed= says. */
void sim_faults_spoil(const struct sim_steer *steer, bool stream, struct buf *out, size_t from);

#endif
