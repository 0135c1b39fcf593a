/* simulate: options, workers and signals of `moongate simulate`. The main thread is the first worker; the others run
 * the same loop on threads of their own, each with a listener on the same port. */
#include "main/simulate/simulate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/suggest.h"
#include "main/simulate/worker.h"

enum {
  EXIT_USAGE = 64,
  EXIT_UNAVAILABLE = 69,
  KEEP_DEFAULT = 100,
  KEEP_MOST = 1000000,
  BODY_BYTES = 256 << 20,
  CONNECTIONS = 60000
};

struct settings {
  const char *listen, *dialect, *key, *record, *scenario, *strike, *tls_cert, *tls_key;
  uint64_t workers, seed, keep;
  bool quiet, help;
};

enum option_kind { WORD, COUNT, SWITCH };

struct option {
  const char *name;
  enum option_kind kind;
  size_t offset;
  uint64_t most;
  const char *what;
};

static const struct option options[] = {
    {"listen", WORD, offsetof(struct settings, listen), 0, "ADDRESS:PORT, port 0 for any; default 127.0.0.1:9000"},
    {"workers", COUNT, offsetof(struct settings, workers), SIM_WORKERS_MAX, "threads; default 1"},
    {"dialect", WORD, offsetof(struct settings, dialect), 0, "one alone, such as openai.chat; default all"},
    {"key", WORD, offsetof(struct settings, key), 0, "the only credential accepted; default any or none"},
    {"seed", COUNT, offsetof(struct settings, seed), UINT64_MAX, "for ids and for --fail; default 1"},
    {"record", WORD, offsetof(struct settings, record), 0, "FILE that gets a JSON line for each request"},
    {"scenario", WORD, offsetof(struct settings, scenario), 0, "FILE that says which faults strike whom and when"},
    {"strike", WORD, offsetof(struct settings, strike), 0,
     "whom the scenario's phases strike that name no provider; default everybody"},
    {"keep", COUNT, offsetof(struct settings, keep), KEEP_MOST,
     "requests a worker keeps for /simulate/requests; default 100"},
    {"tls-cert", WORD, offsetof(struct settings, tls_cert), 0, "PEM chain; serves https"},
    {"tls-key", WORD, offsetof(struct settings, tls_key), 0, "PEM key"},
    {"quiet", SWITCH, offsetof(struct settings, quiet), 0, "no summary at the end"},
    {"help", SWITCH, offsetof(struct settings, help), 0, "this text"},
};

enum { OPTIONS = sizeof options / sizeof *options };

static void print_help(void) {
  puts("moongate simulate [OPTION VALUE]…   serves simulated providers\n");
  for (size_t i = 0; i < OPTIONS; i++) printf("  --%-12s %s\n", options[i].name, options[i].what);
  puts("\nAnd each of these, as an option for all requests (--latency-ms 5), or for one request in its path\n"
       "(/s/status=429,retry_after=2/v1/…), in the header x-simulate (\"status=429; retry_after=2\"), or in its last\n"
       "user message ([[simulate status=429 retry_after=2]]):\n");
  sim_steer_help(stdout);
}

static bool set_option(struct settings *s, const struct option *o, const char *value, struct err *e) {
  void *field = (char *)s + o->offset;
  uint64_t number;
  switch (o->kind) {
  case SWITCH: *(bool *)field = true; return true;
  case WORD:
    if (value == NULL) return err_set(e, "--%s needs a value", o->name);
    *(const char **)field = value;
    return true;
  case COUNT:
    if (!slice_to_u64(slice_text(value), &number) || number > o->most)
      return err_set(e, "--%s needs a number up to %llu", o->name, (unsigned long long)o->most);
    *(uint64_t *)field = number;
    return true;
  }
  return false;
}

static bool set_steer(struct sim_steer *steer, const char *name, size_t len, const char *value, struct arena *arena,
                      struct err *e) {
  char *key = arena_text(arena, slice_of(name, len));
  for (char *c = key; *c != '\0'; c++)
    if (*c == '-') *c = '_';
  struct err why;
  if (sim_steer_set(steer, slice_text(key), slice_text(value), arena, &why)) return true;
  const char *names[OPTIONS];
  for (size_t i = 0; i < OPTIONS; i++) names[i] = options[i].name;
  const char *near = suggest_nearest(arena_text(arena, slice_of(name, len)), names, OPTIONS);
  if (near != NULL) return err_set(e, "no option --%.*s; did you mean --%s?", (int)len, name, near);
  return err_set(e, "--%.*s: %s", (int)len, name, why.text);
}

static bool read_options(struct settings *s, struct sim_steer *steer, int argc, char **argv, struct arena *arena,
                         struct err *e) {
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "--", 2) != 0) return err_set(e, "what is \"%s\"? Options begin with --", argv[i]);
    const char *name = argv[i] + 2, *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option *found = NULL;
    for (size_t o = 0; o < OPTIONS; o++)
      if (slice_eq(slice_of(name, len), slice_text(options[o].name))) found = &options[o];
    bool wants = found == NULL || found->kind != SWITCH;
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (value == NULL && wants && i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0) value = argv[++i];
    if (!(found != NULL ? set_option(s, found, value, e) : set_steer(steer, name, len, value, arena, e))) return false;
  }
  return true;
}

static bool choose_dialect(struct simulator *s, const char *name, struct err *e) {
  if (strcmp(name, "all") == 0) return true;
  s->only = sim_dialect_named(name);
  if (s->only != NULL) return true;
  const char *names[SIM_DIALECTS];
  for (unsigned i = 0; i < SIM_DIALECTS; i++) names[i] = sim_dialects[i]->name;
  const char *near = suggest_nearest(name, names, SIM_DIALECTS);
  return err_set(e, "--dialect %s: expected the name of a dialect, or all%s%s%s", name, near ? "; did you mean " : "",
                 near ? near : "", near ? "?" : "");
}

/* "127.0.0.1:0" with the port that the first listener got. */
static void print_address(char *out, size_t bytes, const char *address, uint16_t port) {
  const char *colon = strrchr(address, ':');
  int host = colon != NULL ? (int)(colon - address) : (int)strlen(address);
  snprintf(out, bytes, "%.*s:%u", host, address, port);
}

static bool start_worker(struct simulator *s, unsigned index, const char *address, int file, unsigned keep,
                         struct tls_identity *tls, struct err *e) {
  struct sim_worker *w = &s->workers[index];
  struct server_limits limits = server_limits_default;
  limits.body_bytes = BODY_BYTES;
  limits.connections = CONNECTIONS;
  w->simulator = s;
  w->loop = loop_new();
  sim_recorder_init(&w->recorder, w->loop, keep, file);
  s->recorders[index] = &w->recorder;
  s->worker_count = index + 1;
  w->listener = listener_open(w->loop, address, true, tls, &limits, &sim_service, w, e);
  return w->listener != NULL;
}

static void close_worker(struct sim_worker *w) {
  if (w->listener != NULL) listener_close(w->listener);
  sim_recorder_done(&w->recorder);
  loop_free(w->loop);
  buf_done(&w->out);
  buf_done(&w->headers);
}

static void *run_worker(void *owner) {
  struct sim_worker *w = owner;
  loop_run(w->loop);
  arena_drop_spare();
  return NULL;
}

static void stop_worker(void *owner, void *argument) {
  struct sim_worker *w = owner;
  (void)argument;
  loop_stop(w->loop);
}

static void signalled(void *owner, int number) {
  struct simulator *s = owner;
  (void)number;
  for (unsigned i = 0; i < s->worker_count; i++) loop_post(s->workers[i].loop, stop_worker, &s->workers[i], NULL);
}

static bool open_all(struct simulator *s, const struct settings *set, char *address, size_t bytes, int file,
                     struct tls_identity *tls, struct err *e) {
  snprintf(address, bytes, "%s", set->listen);
  for (unsigned i = 0; i < set->workers; i++) {
    if (!start_worker(s, i, address, file, (unsigned)set->keep, tls, e)) return false;
    if (i == 0) print_address(address, bytes, set->listen, listener_port(s->workers[0].listener));
  }
  return true;
}

static void run_all(struct simulator *s, const char *address) {
  struct sim_worker *first = &s->workers[0];
  loop_on_signal(first->loop, SIGTERM, signalled, s);
  loop_on_signal(first->loop, SIGINT, signalled, s);
  for (unsigned i = 1; i < s->worker_count; i++)
    if (pthread_create(&s->workers[i].thread, NULL, run_worker, &s->workers[i]) != 0) abort();
  printf("simulate: listening on %s\n", address);
  fflush(stdout);
  loop_run(first->loop);
  for (unsigned i = 1; i < s->worker_count; i++) pthread_join(s->workers[i].thread, NULL);
}

static void print_summary(struct simulator *s) {
  struct buf stats = {0};
  sim_record_stats(s->recorders, s->worker_count, &stats);
  fprintf(stderr, "simulate: %.*s", (int)stats.len, stats.ptr);
  buf_done(&stats);
}

static void free_defaults(struct simulator *s) {
  for (struct sim_defaults *d = atomic_load(&s->defaults), *before; d != NULL; d = before) {
    before = d->before;
    arena_done(&d->arena);
    mem_free(d);
  }
}

/* Runs until a signal. false when it could not start. */
static bool serve(struct simulator *s, const struct settings *set, struct arena *arena, struct err *e) {
  char address[300];
  int file = -1;
  struct tls_identity *tls = NULL;
  bool good = choose_dialect(s, set->dialect, e);
  if (good && set->scenario != NULL) good = (s->scenario = sim_scenario_read(set->scenario, arena, e)) != NULL;
  if (good && set->record != NULL) {
    file = open(set->record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    good = file >= 0 || err_set(e, "--record %s: %s", set->record, strerror(errno));
  }
  if (good && (set->tls_cert != NULL || set->tls_key != NULL)) {
    good = (set->tls_cert != NULL && set->tls_key != NULL) || err_set(e, "--tls-cert and --tls-key go together");
    if (good) good = (tls = tls_identity_new(set->tls_cert, set->tls_key, e)) != NULL;
  }
  if (good) good = open_all(s, set, address, sizeof address, file, tls, e);
  if (good) run_all(s, address);
  for (unsigned i = 0; i < s->worker_count && s->workers[i].listener != NULL; i++)
    listener_stop(s->workers[i].listener);
  if (good && !set->quiet) print_summary(s);
  for (unsigned i = 0; i < s->worker_count; i++) close_worker(&s->workers[i]);
  tls_identity_free(tls);
  if (file >= 0) close(file);
  return good;
}

int simulate_main(int argc, char **argv) {
  struct settings set = {.listen = "127.0.0.1:9000", .dialect = "all", .workers = 1, .seed = 1, .keep = KEEP_DEFAULT};
  struct simulator *s = mem_new(struct simulator);
  struct arena arena;
  struct err e;
  int status = 0;
  arena_init(&arena);
  s->given = sim_steer_none;
  signal(SIGPIPE, SIG_IGN);
  if (!read_options(&set, &s->given, argc, argv, &arena, &e)) {
    fprintf(stderr, "moongate simulate: %s\nTry: moongate simulate --help\n", e.text);
    status = EXIT_USAGE;
  } else if (set.help) {
    print_help();
  } else {
    s->key = slice_text(set.key);
    s->seed = set.seed;
    s->workers = mem_zero((set.workers > 0 ? set.workers : 1) * sizeof *s->workers);
    pthread_mutex_init(&s->lock, NULL);
    sim_defaults_set(s, &s->given);
    if (set.workers == 0) set.workers = 1;
    s->strike = slice_text(set.strike);
    if (!serve(s, &set, &arena, &e)) {
      fprintf(stderr, "moongate simulate: %s\n", e.text);
      status = EXIT_UNAVAILABLE;
    }
    free_defaults(s);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->workers);
  }
  arena_done(&arena);
  arena_drop_spare();
  mem_free(s);
  return status;
}
