/* server: start → serve → drain → stop. Main thread. */
#include "main/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "gate/meter.h"
#include "main/admin.h"
#include "main/demo.h"
#include "script/load.h"

enum { EXIT_UNAVAILABLE = 69, EXIT_CONFIG = 78 }; /* sysexits.h */

struct server {
  struct loop *loop;
  struct reloader *reloader;
  struct worker *workers;
  unsigned worker_count, drained;
  struct admin admin;
  struct trace_log *traces;
  struct tls_identity *tls;
  uint32_t drain_ms;
  bool stopping;
};

/* ---- stop --------------------------------------------------------------------------------------------------- */

static void one_drained(void *owner, void *argument) {
  struct server *s = owner;
  (void)argument;
  if (++s->drained == s->worker_count) loop_stop(s->loop);
}

static void worker_drained(void *owner) {
  struct server *s = owner;
  loop_post(s->loop, one_drained, s, NULL);
}

static void begin_stop(struct server *s) {
  if (s->stopping) {
    log_warn("server", "second signal: stopping at once");
    loop_stop(s->loop);
    return;
  }
  s->stopping = s->admin.draining = true;
  log_info("server", "draining for at most %u s", s->drain_ms / 1000);
  for (unsigned i = 0; i < s->worker_count; i++) worker_drain(&s->workers[i], s->drain_ms, worker_drained, s);
}

static void on_signal(void *owner, int number) {
  struct server *s = owner;
  switch (number) {
  case SIGHUP: reload_now(s->reloader, RELOAD_FILES, NULL, NULL); break;
  case SIGUSR1: trace_log_reopen(s->traces); break;
  default: begin_stop(s); break;
  }
}

/* ---- start -------------------------------------------------------------------------------------------------- */

/* Keys live in this process: no core file, no debugger of the same user. */
static void close_doors(void) {
  struct rlimit none = {0, 0}, files;
  setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  prctl(PR_SET_DUMPABLE, 0);
#endif
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  signal(SIGPIPE, SIG_IGN);
}

static bool start_workers(struct server *s, const struct config *c, struct err *e) {
  struct server_limits limits;
  char address[256];
  gate_server_limits(c, &limits);
  snprintf(address, sizeof address, "%s", c->listen);
  s->workers = mem_zero(s->worker_count * sizeof *s->workers);
  for (unsigned i = 0; i < s->worker_count; i++) {
    if (!worker_init(&s->workers[i], i, address, s->tls, &limits, s->traces, e)) return false;
    if (i > 0) continue;
    /* Port 0 was a wish for any port: the others share the one that came. */
    char *port = strrchr(address, ':');
    snprintf(port, sizeof address - (size_t)(port - address), ":%u", listener_port(s->workers[0].listener));
  }
  return true;
}

static void warn_of(const struct config *c) {
  for (uint32_t i = 0; i < c->provider_count; i++)
    if (c->providers[i]->insecure)
      log_warn("config",
               "providers.%s.insecure: its certificate is NOT verified; whoever sits in between reads your keys",
               c->providers[i]->name);
  if (c->keys == NULL && c->open_access)
    log_warn("config", "open_access: whoever reaches %s spends your money", c->listen);
}

static int fail(const char *topic, const struct err *e, int status) {
  fprintf(stderr, "moongate: %s%s%s\n", topic, *topic ? ": " : "", e->text);
  return status;
}

static int start(struct server *s, const struct server_options *options, const char *demo_text) {
  struct err e;
  struct reload_options reload = {.config_file = options->config_file,
                                  .config_text = demo_text,
                                  .script_root = options->script_root,
                                  .watch = options->watch};
  s->reloader = reloader_new(&reload, s->loop, &e);
  if (s->reloader == NULL) return fail("", &e, EXIT_CONFIG);
  const struct config *c = reloader_config(s->reloader);
  s->worker_count = reloader_workers(s->reloader);
  s->drain_ms = c->drain_ms;
  warn_of(c);
  if (c->tls_cert != NULL && (s->tls = tls_identity_new(c->tls_cert, c->tls_key, &e)) == NULL)
    return fail("tls", &e, EXIT_CONFIG);
  if ((s->traces = trace_log_open(c->trace_file, s->worker_count, &e)) == NULL) return fail("", &e, EXIT_CONFIG);
  if (!start_workers(s, c, &e)) return fail("listen", &e, EXIT_UNAVAILABLE);
  s->admin.reloader = s->reloader;
  s->admin.workers = s->workers;
  s->admin.worker_count = s->worker_count;
  s->admin.token = c->admin_token ? secret_new(secret_view(c->admin_token)) : NULL;
  if (!admin_open(&s->admin, s->loop, c->admin_listen, &e)) return fail("admin.listen", &e, EXIT_UNAVAILABLE);
  static const int signals[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) loop_on_signal(s->loop, signals[i], on_signal, s);
  char host[256], admin_host[256];
  snprintf(host, sizeof host, "%.*s", (int)(strrchr(c->listen, ':') - c->listen), c->listen);
  snprintf(admin_host, sizeof admin_host, "%.*s", (int)(strrchr(c->admin_listen, ':') - c->admin_listen),
           c->admin_listen);
  /* The generation is posted before the threads run: no request can come before it. */
  reloader_start(s->reloader, s->workers, s->worker_count, s->tls);
  for (unsigned i = 0; i < s->worker_count; i++) worker_start(&s->workers[i]);
  printf("moongate: ready on %s:%u (admin %s:%u)\n", host, listener_port(s->workers[0].listener), admin_host,
         listener_port(s->admin.listener));
  fflush(stdout);
  return 0;
}

int server_run(const struct server_options *options) {
  struct server s = {.loop = loop_new()};
  struct err e;
  struct demo demo = {0};
  close_doors();
  upcall_library_init();
  if (!load_start(&e)) return fail("", &e, EXIT_UNAVAILABLE);
  load_enter_thread();
  if (options->demo && !demo_start(&demo, &e)) return fail("demo", &e, EXIT_UNAVAILABLE);
  int status = start(&s, options, options->demo ? demo.config_text : NULL);
  load_leave_thread();
  if (status != 0) exit(status); /* nothing has served yet: the system takes back the rest */
  loop_run(s.loop);
  admin_close(&s.admin);
  for (unsigned i = 0; i < s.worker_count; i++) worker_stop(&s.workers[i]);
  reloader_free(s.reloader);
  trace_log_close(s.traces);
  tls_identity_free(s.tls);
  loop_free(s.loop);
  mem_free(s.workers);
  load_stop();
  demo_stop(&demo);
  log_info("server", "stopped");
  return 0;
}
