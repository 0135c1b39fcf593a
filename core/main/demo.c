/* demo: fork, exec, read the port from its ready line. Main thread, before any other is started. */
#include "main/demo.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void become_simulator(int output) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  dup2(output, STDOUT_FILENO);
  execl("/proc/self/exe", "moongate", "simulate", "--listen", "127.0.0.1:0", "--ttft-ms", "60", "--chunk-ms", "15",
        "--quiet", (char *)NULL);
  _exit(127);
}

bool demo_start(struct demo *d, struct err *e) {
  int ends[2];
  char line[256] = "";
  if (pipe(ends) != 0 || (d->child = fork()) < 0)
    return err_set(e, "the simulator cannot be started: %s", strerror(errno));
  if (d->child == 0) become_simulator(ends[1]);
  close(ends[1]);
  FILE *f = fdopen(ends[0], "r");
  bool read = f != NULL && fgets(line, sizeof line, f) != NULL;
  const char *colon = read ? strrchr(line, ':') : NULL;
  unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
  if (f != NULL) fclose(f);
  if (port == 0 || port > 65535) return err_set(e, "the simulator did not start: %s", line);
  /* A provider that refuses every request shows what failover does. */
  snprintf(d->config_text, sizeof d->config_text,
           "return {\n"
           "  providers = {\n"
           "    openai    = { adapter = \"openai\",    base_url = \"http://127.0.0.1:%lu/v1\", keys = { "
           "\"simulated-openai-key\" } },\n"
           "    anthropic = { adapter = \"anthropic\", base_url = \"http://127.0.0.1:%lu/v1\", keys = { "
           "\"simulated-anthropic-key\" } },\n"
           "    shaky     = { adapter = \"openai\",    base_url = \"http://127.0.0.1:%lu/s/status=503/v1\", keys = { "
           "\"simulated-shaky-key\" } },\n"
           "  },\n"
           "  routes = {\n"
           "    fast     = { targets = { \"openai/gpt-5-mini\" } },\n"
           "    smart    = { targets = { \"anthropic/claude-sonnet-4-5\" } },\n"
           "    failover = { targets = { \"shaky/gpt-5\", \"anthropic/claude-haiku-4-5\" } },\n"
           "    split    = { policy = \"weighted\", targets = { { \"openai/gpt-5-mini\", weight = 3 }, "
           "\"anthropic/claude-haiku-4-5\" } },\n"
           "  },\n"
           "}\n",
           port, port, port);
  return true;
}

void demo_stop(struct demo *d) {
  if (d->child <= 0) return;
  kill(d->child, SIGTERM);
  waitpid(d->child, NULL, 0);
}
