/* drill: for each scenario and each route: a fresh simulator, a fresh gateway, clients, a line of figures. Replays come
 * one after the other, so that none sees another's health, connections or load.
 *
 *     drill ──fork──▶ simulate --scenario F --strike P     P: who answers most of the route without a fault
 *       │   ──fork──▶ run, with the copy of the config
 *       └── clients ─▶ gateway ─▶ simulated providers, told apart by the path /s/provider=NAME
 *
 * A child is forked, not executed: nothing here starts a thread before. */
#include "main/drill/drill.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "main/config/schema.h"
#include "main/drill/config.h"
#include "main/drill/load.h"
#include "main/server.h"
#include "main/simulate/scenario.h"
#include "main/simulate/simulate.h"

enum { EXIT_NO = 1, EXIT_USE = 64, EXIT_UNAVAILABLE = 69, EXIT_CONFIG = 78 };
enum { DEFAULT_SECONDS_MS = 4000, CALM_MS = 1500, RATE = 20, RATE_MAX = 200, PATIENCE_MS = 10000, KINDS_MAX = 16 };

static const char *const shipped[] = {"outage", "brown-out", "quota", "slow-first-token", "mid-stream-cut"};
enum { SHIPPED = sizeof shipped / sizeof *shipped };

struct drill {
  const struct drill_options *options;
  struct drill_config copy;
  struct arena arena;
  unsigned per_s;
  uint64_t patience_ms;
  FILE *errors; /* what children say on stderr */
};

struct replay {
  const struct route *route;
  const char *file;   /* of the scenario; NULL: none, the calm */
  const char *struck; /* the provider it strikes */
  uint64_t duration_ms;
  struct drill_call *calls;
  unsigned count;
};

/* ---- children ----------------------------------------------------------------------------------------------- */

struct child {
  pid_t pid;
  unsigned port;
};

/* Reads "…:PORT" at the end of the first line, or before its " (". */
static unsigned read_port(int from) {
  char line[512] = "";
  FILE *f = fdopen(from, "r");
  if (f == NULL || fgets(line, sizeof line, f) == NULL) line[0] = '\0';
  if (f != NULL) fclose(f);
  char *end = strstr(line, " (");
  if (end != NULL) *end = '\0';
  const char *colon = strrchr(line, ':');
  unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
  return port <= UINT16_MAX ? (unsigned)port : 0;
}

static bool start(struct drill *d, struct child *c, int (*run)(void *owner), void *owner, struct err *e) {
  int ends[2];
  fflush(stdout);
  if (pipe(ends) != 0 || (c->pid = fork()) < 0) return err_set(e, "no process can be started: %s", strerror(errno));
  if (c->pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("LISTEN_FDS");
    dup2(ends[1], STDOUT_FILENO);
    dup2(fileno(d->errors), STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    _exit(run(owner));
  }
  close(ends[1]);
  c->port = read_port(ends[0]);
  return c->port > 0 || err_set(e, "a child process did not start");
}

static void stop(struct child *c) {
  if (c->pid <= 0) return;
  kill(c->pid, SIGKILL);
  waitpid(c->pid, NULL, 0);
}

static int run_simulator(void *owner) {
  const struct replay *r = owner;
  const char *argv[12] = {"simulate", "--listen", "127.0.0.1:0", "--quiet", "--keep", "0", "--chunk-ms", "5"};
  int argc = 8;
  if (r->file != NULL) {
    const char *const more[] = {"--scenario", r->file, "--strike", r->struck};
    for (int i = 0; i < 4; i++) argv[argc++] = more[i];
  }
  return simulate_main(argc, (char **)argv);
}

struct gateway {
  struct drill *drill;
  const char *text;
};

static int run_gateway(void *owner) {
  const struct gateway *g = owner;
  char name[] = "moongate", *arguments[] = {name, NULL};
  struct server_options options = {.config_file = g->drill->options->config_file,
                                   .config_text = g->text,
                                   .script_root = g->drill->options->script_root,
                                   .arguments = arguments};
  return server_run(&options);
}

static void show_errors(struct drill *d) {
  char line[1024];
  rewind(d->errors);
  while (fgets(line, sizeof line, d->errors) != NULL) fputs(line, stderr);
}

/* Plays it: fills r->calls, which the caller frees. */
static bool play(struct drill *d, struct replay *r, struct err *e) {
  struct drill_load load = {
      .model = r->route->name, .per_s = d->per_s, .duration_ms = r->duration_ms, .patience_ms = d->patience_ms};
  struct child simulator = {0}, gateway = {0};
  char key[64] = "";
  unsigned index;
  if (drill_config_key(&d->copy, r->route->name, &index)) snprintf(key, sizeof key, DRILL_KEY_FORMAT, index);
  load.key = key;
  struct buf text = {0};
  r->count = drill_load_count(&load);
  r->calls = mem_zero((r->count + 1) * sizeof *r->calls);
  bool good = start(d, &simulator, run_simulator, r, e);
  if (good) {
    drill_config_put(&d->copy, simulator.port, &text);
    buf_byte(&text, '\0');
    struct gateway g = {d, text.ptr};
    good = start(d, &gateway, run_gateway, &g, e);
    load.port = gateway.port;
  }
  if (good) good = drill_load_run(&load, r->calls, e);
  stop(&gateway);
  stop(&simulator);
  buf_done(&text);
  return good;
}

/* ---- figures ------------------------------------------------------------------------------------------------ */

struct kind { /* things with a name, counted */
  char name[96];
  unsigned count;
};

struct kinds {
  struct kind list[KINDS_MAX];
  unsigned count;
};

static void count_kind(struct kinds *k, const char *name) {
  unsigned i = 0;
  while (i < k->count && strcmp(k->list[i].name, name) != 0) i++;
  if (i == KINDS_MAX) i--;
  if (i == k->count) snprintf(k->list[k->count++].name, sizeof k->list[i].name, "%s", name);
  k->list[i].count++;
}

static void print_kinds(const struct kinds *k) {
  for (unsigned i = 0; i < k->count; i++) printf("%s%s %u", i > 0 ? ", " : "", k->list[i].name, k->list[i].count);
}

struct figures {
  unsigned answered, elsewhere, avoidable;
  double p50_ms, p99_ms, stall_ms;
  struct kinds errors, providers;
};

static int by_size(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static double percentile_ms(const uint64_t *sorted_us, unsigned count, unsigned percent) {
  if (count == 0) return 0;
  unsigned place = (count - 1) * percent / 100;
  return (double)sorted_us[place] / 1000;
}

/* all: the scenario strikes every provider, so no target could have helped. */
static void sum_up(const struct replay *r, bool all, struct figures *f) {
  uint64_t *first_us = mem_alloc((r->count + 1) * sizeof *first_us);
  *f = (struct figures){0};
  for (unsigned i = 0; i < r->count; i++) {
    const struct drill_call *c = &r->calls[i];
    char name[160];
    if ((double)c->stall_us / 1000 > f->stall_ms) f->stall_ms = (double)c->stall_us / 1000;
    if (!c->answered) {
      int len = c->status > 0 ? snprintf(name, sizeof name, "%u ", c->status) : 0;
      snprintf(name + len, sizeof name - (size_t)len, "%s%s", c->code, c->content_begun ? " (after content)" : "");
      count_kind(&f->errors, name);
      f->avoidable += !c->content_begun && !all;
      continue;
    }
    first_us[f->answered++] = c->first_us;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(c->target, "/"), c->target);
    f->elsewhere += r->struck != NULL && strcmp(name, r->struck) != 0;
    count_kind(&f->providers, name);
  }
  if (f->answered > 1) qsort(first_us, f->answered, sizeof *first_us, by_size);
  f->p50_ms = percentile_ms(first_us, f->answered, 50);
  f->p99_ms = percentile_ms(first_us, f->answered, 99);
  mem_free(first_us);
}

static void print_figures(const struct replay *r, const struct figures *f, const struct figures *calm) {
  printf("  %-16s %8u %8u %6u %8.0f%% %+9.1f %+9.1f %9.0f  ", r->route->name, r->count, f->answered,
         r->count - f->answered, f->answered > 0 ? 100.0 * f->elsewhere / f->answered : 0, f->p50_ms - calm->p50_ms,
         f->p99_ms - calm->p99_ms, f->stall_ms);
  print_kinds(&f->providers);
  printf("\n");
  if (f->errors.count == 0) return;
  printf("  %16s errors: ", "");
  print_kinds(&f->errors);
  printf("\n");
  fflush(stdout);
}

/* ---- the command -------------------------------------------------------------------------------------------- */

/* A path as it is; a name: examples/scenarios/NAME.lua. */
static const char *scenario_file(struct drill *d, const char *word) {
  struct buf path = {0};
  if (strchr(word, '/') != NULL || slice_ends(slice_text(word), SLICE(".lua"))) return word;
  buf_fill(&path, "%s/examples/scenarios/%s.lua", d->options->script_root, word);
  const char *out = arena_text(&d->arena, buf_view(&path));
  buf_done(&path);
  return out;
}

static bool wanted(const struct drill *d, const struct route *r) {
  return r->target_count > 0 && (d->options->route == NULL || strcmp(d->options->route, r->name) == 0);
}

/* Who answered most; "" when nobody did. */
static const char *most_of(const struct kinds *k) {
  const struct kind *most = &k->list[0];
  for (unsigned i = 1; i < k->count; i++)
    if (k->list[i].count > most->count) most = &k->list[i];
  return most->name;
}

/* One scenario over all routes. *spoiled counts errors that could have been avoided, by route. */
static bool replay_all(struct drill *d, const char *word, struct figures *calm, unsigned *spoiled, struct err *e) {
  const char *file = scenario_file(d, word);
  struct sim_scenario *s = sim_scenario_read(file, &d->arena, e);
  const struct config *c = d->copy.config;
  if (s == NULL) return false;
  printf("\n%s: %.*s\n", word, (int)s->doc.len, s->doc.ptr);
  printf("  %-16s %8s %8s %6s %9s %9s %9s %9s  %s\n", "route", "requests", "answered", "errors", "elsewhere", "+p50 ms",
         "+p99 ms", "stall ms", "answers by");
  for (uint32_t i = 0; i < c->route_count; i++) {
    if (!wanted(d, c->routes[i]) || calm[i].answered == 0) continue;
    struct replay r = {.route = c->routes[i],
                       .file = file,
                       .struck = most_of(&calm[i].providers),
                       .duration_ms = s->seconds_ms > 0 ? s->seconds_ms : DEFAULT_SECONDS_MS};
    struct figures f;
    bool good = play(d, &r, e);
    if (good) {
      sum_up(&r, sim_scenario_spares_nobody(s), &f);
      print_figures(&r, &f, &calm[i]);
      spoiled[i] += f.avoidable;
    }
    mem_free(r.calls);
    if (!good) return false;
  }
  return true;
}

static bool measure_calm(struct drill *d, struct figures *calm, struct err *e) {
  const struct config *c = d->copy.config;
  for (uint32_t i = 0; i < c->route_count; i++) {
    if (!wanted(d, c->routes[i])) continue;
    struct replay r = {.route = c->routes[i], .duration_ms = CALM_MS};
    bool good = play(d, &r, e);
    if (good) sum_up(&r, true, &calm[i]);
    if (good && calm[i].answered == 0)
      printf("%s does not answer without any fault and is left out: %s\n", c->routes[i]->name,
             calm[i].errors.count > 0 ? calm[i].errors.list[0].name : "nothing came");
    mem_free(r.calls);
    if (!good) return false;
  }
  return true;
}

static int print_verdict(const struct drill *d, const struct figures *calm, const unsigned *spoiled) {
  const struct config *c = d->copy.config;
  int status = 0;
  printf("\n");
  for (uint32_t i = 0; i < c->route_count; i++) {
    if (!wanted(d, c->routes[i])) continue;
    if (calm[i].answered == 0) {
      printf("%s: not drilled: it does not answer without any fault\n", c->routes[i]->name);
      status = EXIT_NO;
      continue;
    }
    if (spoiled[i] == 0) {
      printf("%s: kept answering\n", c->routes[i]->name);
      continue;
    }
    status = EXIT_NO;
    printf("%s: %u errors that a second target would have spared its clients: one at another provider, tried in time "
           "(`targets`, `timeouts`, `retry`)\n",
           c->routes[i]->name, spoiled[i]);
  }
  return status;
}

static int replay_scenarios(struct drill *d) {
  const struct drill_options *o = d->options;
  const struct config *c = d->copy.config;
  const char *const *words = o->scenario_count > 0 ? o->scenarios : shipped;
  int count = o->scenario_count > 0 ? o->scenario_count : SHIPPED, status = 0;
  unsigned routes = 0, *spoiled = mem_zero((c->route_count + 1) * sizeof *spoiled);
  struct figures *calm = mem_zero((c->route_count + 1) * sizeof *calm);
  struct err e;
  for (uint32_t i = 0; i < c->route_count; i++) routes += wanted(d, c->routes[i]);
  printf("%s: %u route%s, %d scenario%s, %u requests a second; all providers are simulated, nothing leaves this "
         "machine\n",
         o->config_file, routes, routes == 1 ? "" : "s", count, count == 1 ? "" : "s", d->per_s);
  bool good = routes > 0 || err_set(&e, o->route ? "there is no route %s" : "there is no route with targets", o->route);
  if (!good) status = EXIT_USE;
  for (int i = 0; good && i < count; i++) good = sim_scenario_read(scenario_file(d, words[i]), &d->arena, &e) != NULL;
  if (!good && status == 0) status = EXIT_CONFIG;
  if (good) good = measure_calm(d, calm, &e);
  for (int i = 0; good && i < count; i++) good = replay_all(d, words[i], calm, spoiled, &e);
  if (good) {
    status = print_verdict(d, calm, spoiled);
  } else {
    show_errors(d);
    fprintf(stderr, "moongate: %s\n", e.text);
    if (status == 0) status = EXIT_UNAVAILABLE;
  }
  mem_free(spoiled);
  mem_free(calm);
  return status;
}

static bool read_options(struct drill *d, struct err *e) {
  const struct drill_options *o = d->options;
  uint64_t rate = RATE;
  d->patience_ms = PATIENCE_MS;
  if (o->config_file == NULL) return err_set(e, "a drill needs a config: --config FILE");
  if (o->rate != NULL && (!slice_to_u64(slice_text(o->rate), &rate) || rate == 0 || rate > RATE_MAX))
    return err_set(e, "--rate %s: expected requests a second, 1 to %d", o->rate, RATE_MAX);
  if (o->patience != NULL && (!schema_parse_ms(slice_text(o->patience), &d->patience_ms) || d->patience_ms == 0))
    return err_set(e, "--patience %s: expected a duration such as 10s", o->patience);
  d->per_s = (unsigned)rate;
  return true;
}

int drill_run(const struct drill_options *options) {
  struct drill d = {.options = options};
  struct err e;
  int status = EXIT_USE;
  bool good = read_options(&d, &e);
  if (good && (d.errors = tmpfile()) == NULL) good = err_set(&e, "no temporary file: %s", strerror(errno));
  if (!good) {
    fprintf(stderr, "moongate: %s\n", e.text);
    return status;
  }
  signal(SIGPIPE, SIG_IGN);
  arena_init(&d.arena);
  if (drill_config_read(&d.copy, options->config_file, options->script_root, &e)) {
    status = replay_scenarios(&d);
  } else {
    fprintf(stderr, "%s\n", e.text);
    status = EXIT_CONFIG;
  }
  drill_config_done(&d.copy);
  arena_done(&d.arena);
  arena_drop_spare();
  fclose(d.errors);
  return status;
}
