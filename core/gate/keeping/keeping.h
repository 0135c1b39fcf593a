/* keeping: Responses clients that leave it to the server to remember. OpenAI keeps its answers unless a request says
 * `store: false`, and clients then send `previous_response_id`, or an item_reference in an item's place. Of an answer
 * that another dialect's provider gave, or that the gateway wrote itself, nobody but the gateway can do so.
 *
 *   request ─▶ keeping_begin: what it names and this gateway keeps is put in, before anything else looks at it
 *           ─▶ … its answer is translated ─▶ keeping_take_input: the provider is answering
 *           ─▶ keeping_whole | keeping_stream_end: output and input are kept, before the client has the last of it
 *
 * An answer that is kept can be got and deleted by its id (keeping_look_up).
 *
 * A request that names nothing that is kept stays as it is, byte for byte: its provider may keep it, and a translation
 * refuses it. An answer that passes by unchanged is its provider's to keep. Instructions are not carried over, as
 * OpenAI documents.
 *
 * Kept is for the key's team, for the key where it has none, for all where no keys are configured
 * (gate/keeping/kept.h). The worker's thread; of other dialects, and where limits.kept_answers is 0, nothing is called.
 */
#ifndef MOONGATE_GATE_KEEPING_H
#define MOONGATE_GATE_KEEPING_H

#include "gate/fault.h"
#include "gate/keeping/kept.h"

struct attempt;
struct config;
struct gate;
struct request;

/* Of one request, in its arena. */
struct keeping {
  bool keeps;            /* its answer, unless that is its provider's to keep */
  bool has_input;        /* in list */
  struct slice previous; /* the answer that it goes on from, which was put in; empty: none */
  struct buf body;       /* the request with all that it names; ptr NULL: it came so */
  struct kept_list list; /* what it was answered to, until that is kept */
};

/* The config's limits are the process's from now on. */
void keeping_adopt(const struct config *c);
/* Of the worker: what is over goes, whether or not anybody asks. */
void keeping_timer_init(struct gate *g);
void keeping_read_figures(struct kept_figures *out);

/* Its body has come and was read. Sets r->keeping, and where something was put in, r->body, to be read again: *changed.
 * On failure f tells. */
bool keeping_begin(struct request *r, bool *changed, struct fault *f);
/* GET or DELETE of an answer, by what its path holds: answers it when it is kept here. f tells what it asks for that is
 * not there; code FAULT_COUNT: it is not this gateway's to answer. */
bool keeping_look_up(struct request *r, struct fault *f);

/* For requests that have r->keeping: */
void keeping_take_input(struct request *r, const struct attempt *a); /* a answers it; the body is still there */
void keeping_whole(struct request *r, struct slice answer);          /* as the client gets it */
/* The same of what ends with a stream's last event, which a has led to. */
void keeping_stream_end(struct request *r, const struct attempt *a, struct slice bytes);
void keeping_drop_body(struct request *r);
void keeping_end(struct request *r);

#endif
