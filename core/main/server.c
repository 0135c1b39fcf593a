/* server: start → serve → drain → stop. Main thread. */
#include "main/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "gate/account/meter.h"
#include "main/admin.h"
#include "main/demo.h"
#include "main/sockets.h"
#include "main/systemd.h"
#include "main/upgrade.h"
#include "script/load.h"

enum { EXIT_UNAVAILABLE = 69, EXIT_CONFIG = 78 }; /* sysexits.h */

struct server {
  struct loop *loop;
  struct reloader *reloader;
  struct worker *workers;
  unsigned worker_count, drained;
  struct sockets sockets;
  struct admin admin;
  struct trace_log *traces;
  struct tls_identity *tls;
  struct upgrade upgrade;
  void (*upgraded)(void *asker, bool ok, pid_t pid, const char *why); /* who asked for it; NULL: a signal */
  void *asker;
  struct timer delay;    /* between the end of readiness and the drain */
  struct timer watchdog; /* looks whether every loop turns */
  uint64_t watchdog_ms;
  uint32_t beat;
  bool stopping, handed_over;
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

static void drain(void *owner) {
  struct server *s = owner;
  uint32_t drain_ms = atomic_load(&s->workers[0].drain_ms);
  log_info("server", "draining for at most %u s", drain_ms / 1000);
  for (unsigned i = 0; i < s->worker_count; i++) worker_drain(&s->workers[i], drain_ms, worker_drained, s);
}

static void begin_stop(struct server *s) {
  if (s->stopping) {
    log_warn("server", "second signal: stopping at once");
    loop_stop(s->loop);
    return;
  }
  uint32_t delay_ms = atomic_load(&s->workers[0].drain_delay_ms);
  s->stopping = s->admin.draining = true;
  upgrade_cancel(&s->upgrade);
  systemd_tell("STOPPING=1\n");
  if (delay_ms == 0) {
    drain(s);
    return;
  }
  log_info("server", "not ready any more; accepting for %u ms more", delay_ms);
  for (unsigned i = 0; i < s->worker_count; i++) worker_say_close(&s->workers[i]);
  timer_set_ms(&s->delay, delay_ms);
}

/* ---- upgrade ------------------------------------------------------------------------------------------------ */

static void tell_asker(struct server *s, bool ok, pid_t pid, const char *why) {
  if (s->upgraded != NULL) s->upgraded(s->asker, ok, pid, why);
  s->upgraded = NULL;
}

static void upgrade_over(void *owner, bool ok, pid_t pid, const char *why) {
  struct server *s = owner;
  tell_asker(s, ok, pid, why);
  if (!ok) {
    log_error("upgrade", "%s; this one goes on", why);
    return;
  }
  log_info("upgrade", "process %ld serves now; this one ends", (long)pid);
  s->handed_over = true;
  timer_clear(&s->watchdog);
  admin_stop(&s->admin);
  if (s->stopping) return;
  s->stopping = s->admin.draining = true;
  drain(s);
}

static void upgrade_now(void *owner, void (*done)(void *asker, bool ok, pid_t pid, const char *why), void *asker) {
  struct server *s = owner;
  struct err e;
  if (!s->stopping && upgrade_begin(&s->upgrade, &s->sockets, &e)) {
    log_info("upgrade", "started %s as process %ld", s->upgrade.program, (long)s->upgrade.pid);
    s->upgraded = done;
    s->asker = asker;
    return;
  }
  if (s->stopping) err_set(&e, "the process is stopping");
  log_error("upgrade", "%s", e.text);
  if (done != NULL) done(asker, false, 0, e.text);
}

/* ---- signals ------------------------------------------------------------------------------------------------ */

static void reloaded(void *owner, const struct reload_result *result) {
  (void)owner, (void)result;
  systemd_tell("READY=1\n");
}

static void reload_files(struct server *s) {
  systemd_tell("RELOADING=1\nMONOTONIC_USEC=%llu\n", (unsigned long long)(clock_ns() / 1000));
  reload_now(s->reloader, RELOAD_FILES, reloaded, s);
}

static void on_signal(void *owner, int number) {
  struct server *s = owner;
  switch (number) {
  case SIGHUP: reload_files(s); break;
  case SIGUSR1: trace_log_reopen(s->traces); break;
  case SIGUSR2: upgrade_now(s, NULL, NULL); break;
  default: begin_stop(s); break;
  }
}

/* Alive is only who turns all loops: a worker that hangs must not be covered by the others. */
static void look_alive(void *owner) {
  struct server *s = owner;
  bool alive = true;
  for (unsigned i = 0; i < s->worker_count; i++) alive &= atomic_load(&s->workers[i].beat) == s->beat;
  if (alive) {
    systemd_tell_alive();
    s->beat++;
    for (unsigned i = 0; i < s->worker_count; i++) worker_ping(&s->workers[i], s->beat);
  }
  timer_set_ms(&s->watchdog, s->watchdog_ms / 4 + 1);
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
  int fds[SOCKETS_MAX];
  gate_server_limits(c, &limits);
  s->workers = mem_zero(s->worker_count * sizeof *s->workers);
  for (unsigned i = 0; i < s->worker_count; i++) {
    unsigned count = sockets_of_worker(&s->sockets, i, s->worker_count, c->listen, fds, e);
    if (count == 0) return false;
    worker_init(&s->workers[i], i, fds, count, s->tls, &limits, s->traces);
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
  warn_of(c);
  if (c->tls_cert != NULL && (s->tls = tls_identity_new(c->tls_cert, c->tls_key, &e)) == NULL)
    return fail("tls", &e, EXIT_CONFIG);
  if ((s->traces = trace_log_open(c->trace_file, s->worker_count, &e)) == NULL) return fail("", &e, EXIT_CONFIG);
  if (!start_workers(s, c, &e)) return fail("listen", &e, EXIT_UNAVAILABLE);
  s->admin.reloader = s->reloader;
  s->admin.workers = s->workers;
  s->admin.worker_count = s->worker_count;
  s->admin.token = c->admin_token ? secret_new(secret_view(c->admin_token)) : NULL;
  s->admin.upgrade = upgrade_now;
  s->admin.owner = s;
  int admin_fd = sockets_of_admin(&s->sockets, c->admin_listen, &e);
  if (admin_fd < 0) return fail("admin.listen", &e, EXIT_UNAVAILABLE);
  admin_open(&s->admin, s->loop, admin_fd);
  upgrade_init(&s->upgrade, s->loop, options->arguments, upgrade_over, s);
  timer_init(&s->delay, s->loop, drain, s);
  timer_init(&s->watchdog, s->loop, look_alive, s);
  static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT};
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
  systemd_tell("READY=1\nMAINPID=%ld\nSTATUS=serving on %s:%u\n", (long)getpid(), host,
               listener_port(s->workers[0].listener));
  upgrade_say_ready(&s->sockets);
  s->watchdog_ms = systemd_watchdog_ms(s->sockets.upgrades);
  if (s->watchdog_ms > 0) timer_set_ms(&s->watchdog, 1);
  return 0;
}

int server_run(const struct server_options *options) {
  struct server s = {0};
  struct err e;
  if (!sockets_take(&s.sockets, &e)) return fail("", &e, EXIT_UNAVAILABLE);
  s.loop = loop_new();
  struct demo demo = {0};
  close_doors();
  upcall_library_init();
  if (!load_start(&e)) return fail("", &e, EXIT_UNAVAILABLE);
  load_enter_thread();
  if (options->demo && !demo_start(&demo, &e)) return fail("demo", &e, EXIT_UNAVAILABLE);
  int status = start(&s, options, options->demo ? demo.config_text : options->config_text);
  load_leave_thread();
  if (status != 0) exit(status); /* nothing has served yet: the system takes back the rest */
  loop_run(s.loop);
  timer_clear(&s.delay);
  timer_clear(&s.watchdog);
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
