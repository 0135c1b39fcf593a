/* reload: see the header. Members of struct reloader below the line belong to the loader thread. */
#include "main/reload.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/footprint.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/must.h"
#include "gate/account/meter.h"
#include "main/config/config_file.h"
#include "script/load.h"
#include "script/plain.h"

enum { WATCH_MS = 500 };

struct reloader {
  struct reload_options options;
  struct loop *main_loop, *loop;
  struct worker *workers;
  unsigned worker_count;
  struct tls_identity *tls;
  pthread_t thread;
  _Atomic uint32_t number; /* of the running generation */

  struct generation *current;       /* borrowed: the workers free it */
  struct sources *sources, *before; /* of the running generation, and of the one before it */
  struct timer watch;
  uint64_t tried_hash; /* of the files as --dev last tried them */
  pthread_mutex_t lock;
  struct link jobs; /* under the lock: those that have not been told of, some for ever when the process ends */
};

struct job {
  struct link link; /* of reloader->jobs */
  struct reloader *reloader;
  enum reload_kind kind;
  void (*done)(void *owner, const struct reload_result *result);
  void *owner;
  struct reload_result result;
  atomic_uint waiting; /* workers that have not adopted yet */
  uint64_t swap_ns;
};

static struct job *job_new(struct reloader *r) {
  struct job *job = mem_new(struct job);
  job->reloader = r;
  pthread_mutex_lock(&r->lock);
  list_add_last(&r->jobs, &job->link);
  pthread_mutex_unlock(&r->lock);
  return job;
}

static void job_free(struct job *job) {
  pthread_mutex_t *lock = &job->reloader->lock;
  pthread_mutex_lock(lock);
  list_remove(&job->link);
  pthread_mutex_unlock(lock);
  mem_free(job);
}

/* released() has no argument but the generation: there is one loader a process. */
static struct reloader *the_loader;

static void free_generation(void *owner, void *argument) {
  (void)owner;
  struct generation *g = argument;
  log_debug("reload", "generation %u has drained", g->number);
  load_generation_free(g);
  footprint_shrink();
}

static void released(struct generation *g) {
  loop_post(the_loader->loop, free_generation, NULL, g);
}

static struct config *read_config(struct reloader *r, struct sources *sources, struct err *e) {
  if (r->options.config_text == NULL)
    return config_file_load(r->options.config_file, r->options.script_root, sources, e);
  const char *name = r->options.config_file ? r->options.config_file : "demo.lua";
  struct value *tree = plain_read(slice_text(r->options.config_text), name, e);
  return tree ? config_file_build(tree, name, r->options.script_root, sources, e) : NULL;
}

static struct generation *build(struct reloader *r, struct sources *sources, struct reload_result *result,
                                struct err *e) {
  uint64_t began = clock_ns();
  struct config *c = read_config(r, sources, e);
  if (c == NULL) return NULL;
  uint64_t read = clock_ns();
  result->read_us = (read - began) / 1000;
  struct load_options options = {.script_root = r->options.script_root,
                                 .sources = sources,
                                 .number = r->number + 1,
                                 .workers = r->worker_count,
                                 .released = released};
  struct generation *g = load_generation(c, &options, e);
  if (g == NULL) return NULL;
  g->config->hash = sources_hash(sources);
  result->build_us = (clock_ns() - read) / 1000;
  return g;
}

static unsigned cores(void) {
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count < 1 ? 1 : count > METER_WORKERS_MAX ? METER_WORKERS_MAX : (unsigned)count;
}

struct reloader *reloader_new(const struct reload_options *options, struct loop *main_loop, struct err *e) {
  struct reloader *r = mem_new(struct reloader);
  the_loader = r;
  r->options = *options;
  r->main_loop = main_loop;
  must(pthread_mutex_init(&r->lock, NULL) == 0);
  list_init(&r->jobs);
  r->sources = sources_new();
  /* The number of workers stands in the config, and the scripts are built once for each. */
  struct config *first = read_config(r, r->sources, e);
  struct reload_result result = {0};
  if (first != NULL) {
    r->worker_count = first->workers ? first->workers : cores();
    config_free(first);
    r->current = build(r, r->sources, &result, e);
  }
  if (r->current == NULL) {
    sources_unref(r->sources);
    mem_free(r);
    return NULL;
  }
  r->number = r->current->number;
  r->loop = loop_new();
  return r;
}

const struct config *reloader_config(const struct reloader *r) {
  return r->current->config;
}

unsigned reloader_workers(const struct reloader *r) {
  return r->worker_count;
}

/* ---- a reload ----------------------------------------------------------------------------------------------- */

static void finish(void *owner, void *argument) {
  (void)owner;
  struct job *job = argument;
  struct reload_result *result = &job->result;
  if (!result->ok) log_error("reload", "refused, generation %u goes on: %s", result->generation, result->error);
  else if (result->unchanged) log_info("reload", "nothing has changed; generation %u goes on", result->generation);
  else
    log_info("reload", "generation %u runs; read %.1f ms, build %.1f ms, swap %.1f ms%s%s", result->generation,
             (double)result->read_us / 1e3, (double)result->build_us / 1e3, (double)result->swap_us / 1e3,
             result->restart[0] ? "; these wait for a restart: " : "", result->restart);
  if (job->done != NULL) job->done(job->owner, result);
  job_free(job);
}

static void tell(struct job *job) {
  if (job->reloader->main_loop != NULL) loop_post(job->reloader->main_loop, finish, NULL, job);
}

static void adopted(void *owner, void *argument) {
  (void)owner;
  struct job *job = argument;
  if (atomic_fetch_sub(&job->waiting, 1) > 1) return;
  job->result.swap_us = (clock_ns() - job->swap_ns) / 1000;
  tell(job);
}

static void hand_over(struct reloader *r, struct generation *g, struct job *job) {
  g->released = released;
  atomic_store(&g->workers_using, r->worker_count);
  atomic_store(&job->waiting, r->worker_count);
  job->swap_ns = clock_ns();
  r->current = g;
  r->number = g->number;
  atomic_store(&meter_generation, g->number);
  for (unsigned i = 0; i < r->worker_count; i++) {
    worker_adopt(&r->workers[i], g);
    loop_post(r->workers[i].loop, adopted, NULL, job);
  }
}

static bool same_text(const char *a, const char *b) {
  return (a == NULL && b == NULL) || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void tell_restart(struct reload_result *result, const struct config *old, const struct config *new) {
  const struct {
    const char *key;
    bool same;
  } keys[] = {
      {"listen", same_text(old->listen, new->listen)},
      {"admin.listen", same_text(old->admin_listen, new->admin_listen)},
      {"tls", same_text(old->tls_cert, new->tls_cert) && same_text(old->tls_key, new->tls_key)},
      {"trace.file", same_text(old->trace_file, new->trace_file)},
      {"workers", old->workers == new->workers},
  };
  for (size_t i = 0, at = 0; i < sizeof keys / sizeof *keys; i++)
    if (!keys[i].same)
      at += (size_t)snprintf(result->restart + at, sizeof result->restart - at, "%s%s", at ? ", " : "", keys[i].key);
}

static void tell_changed(struct reload_result *result, struct sources *old, struct sources *new) {
  size_t at = 0;
  for (unsigned i = 0; sources_path(new, i) != NULL; i++) {
    const char *path = sources_path(new, i);
    struct slice now, then = {NULL, 0};
    struct err e;
    bool known = false;
    for (unsigned k = 0; sources_path(old, k) != NULL && !known; k++) known = strcmp(sources_path(old, k), path) == 0;
    if (known) sources_read(old, path, &then, &e);
    sources_read(new, path, &now, &e);
    if (known && slice_eq(now, then)) continue;
    int len = snprintf(result->changed + at, sizeof result->changed - at, "%s%s", at ? "\n" : "", path);
    if (len > 0 && at + (size_t)len < sizeof result->changed) at += (size_t)len;
  }
}

static void reload(void *owner, void *argument) {
  struct reloader *r = owner;
  struct job *job = argument;
  struct reload_result *result = &job->result;
  struct err e = {""};
  result->generation = r->number;
  struct sources *sources;
  if (job->kind == RELOAD_BACK && r->before == NULL) {
    snprintf(result->error, sizeof result->error, "there is no generation before this one to go back to");
    atomic_fetch_add(&meter_reloads_failed, 1);
    tell(job);
    return;
  }
  sources = job->kind == RELOAD_BACK ? sources_ref(r->before) : sources_new();
  struct generation *g = build(r, sources, result, &e);
  if (g != NULL && r->tls != NULL && !tls_identity_reload(r->tls, &e)) {
    err_before(&e, "tls, the certificate in use stays: ");
    load_generation_free(g);
    g = NULL;
  }
  if (g == NULL) {
    snprintf(result->error, sizeof result->error, "%s", e.text);
    atomic_fetch_add(&meter_reloads_failed, 1);
    sources_unref(sources);
    tell(job);
    return;
  }
  result->ok = true;
  /* Secrets come from outside the sources, so only files without change are compared; a new key needs a reload too. */
  if (job->kind == RELOAD_FILES && g->config->hash == r->current->config->hash &&
      config_same_secrets(g->config, r->current->config)) {
    result->unchanged = true;
    load_generation_free(g);
    sources_unref(sources);
    tell(job);
    return;
  }
  tell_restart(result, r->current->config, g->config);
  tell_changed(result, r->sources, sources);
  sources_unref(r->before);
  r->before = r->sources;
  r->sources = sources;
  result->generation = g->number;
  atomic_fetch_add(&meter_reloads_ok, 1);
  hand_over(r, g, job);
}

void reload_now(struct reloader *r, enum reload_kind kind,
                void (*done)(void *owner, const struct reload_result *result), void *owner) {
  struct job *job = job_new(r);
  job->kind = kind;
  job->done = done;
  job->owner = owner;
  loop_post(r->loop, reload, r, job);
}

static void look(void *owner) {
  struct reloader *r = owner;
  uint64_t on_disk = sources_hash_on_disk(r->sources);
  /* What was refused once is not tried again until it changes. */
  if (on_disk != sources_hash(r->sources) && on_disk != r->tried_hash) reload_now(r, RELOAD_FILES, NULL, NULL);
  r->tried_hash = on_disk;
  timer_set_ms(&r->watch, WATCH_MS);
}

static void *run(void *argument) {
  struct reloader *r = argument;
  load_enter_thread();
  if (r->options.watch) timer_set_ms(&r->watch, WATCH_MS);
  loop_run(r->loop);
  timer_clear(&r->watch);
  load_leave_thread();
  return NULL;
}

/* All workers have what they need to serve. */
static void started(void *owner, const struct reload_result *result) {
  (void)owner, (void)result;
  footprint_shrink();
}

void reloader_start(struct reloader *r, struct worker *workers, unsigned count, struct tls_identity *tls) {
  must(count == r->worker_count);
  r->workers = workers;
  r->tls = tls;
  timer_init(&r->watch, r->loop, look, r);
  struct job *job = job_new(r);
  job->result = (struct reload_result){.ok = true, .generation = r->number};
  job->done = started;
  hand_over(r, r->current, job);
  must(pthread_create(&r->thread, NULL, run, r) == 0);
}

uint32_t reloader_generation(const struct reloader *r) {
  return r->number;
}

static void stop(void *owner, void *argument) {
  (void)argument;
  loop_stop(owner);
}

void reloader_free(struct reloader *r) {
  /* Posted behind every generation that a worker let go: messages of one sender keep their order, and the workers are
   * gone. */
  loop_post(r->loop, stop, r->loop, NULL);
  pthread_join(r->thread, NULL);
  while (!list_empty(&r->jobs)) job_free(list_item(r->jobs.next, struct job, link));
  pthread_mutex_destroy(&r->lock);
  loop_free(r->loop);
  sources_unref(r->sources);
  sources_unref(r->before);
  mem_free(r);
}
